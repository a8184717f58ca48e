"""Metrics of how much generations differ from each other, over the whole set.

Both depend on all generations together: distinct n-grams, and BLEU of each text against the others. So
they have values and no intervals: leaving a text out changes what the others count.
"""
