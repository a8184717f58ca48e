"""Metrics of likelihood: perplexity and bits per byte, of held-out documents and of general text.

`likelihood` holds what they share; bits per byte is the one that base models with different tokenizers share.
"""
