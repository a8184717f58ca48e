"""Metrics that compare a generation with the held-out document: BLEU, chrF, ROUGE-L, similarity, length."""
