"""Metrics that compare a generation with the held-out document.

BLEU, chrF, ROUGE-L, length, and semantic similarity, whose `embeddings` come from a package on request.
"""
