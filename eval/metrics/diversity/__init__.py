"""Metrics of how much generations differ from each other, over the whole set.

Both depend on all generations together: distinct n-grams, and BLEU of each text against the others.
"""
