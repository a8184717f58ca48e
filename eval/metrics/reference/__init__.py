"""Metrics that compare a generation with the held-out document.

BLEU, chrF and ROUGE-L, by section as `segments` has it; length, and semantic similarity, whose `embeddings`
come from a package on request.
"""
