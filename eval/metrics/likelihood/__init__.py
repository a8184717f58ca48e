"""Metrics of likelihood: perplexity and bits per byte, of held-out documents and of general text."""
