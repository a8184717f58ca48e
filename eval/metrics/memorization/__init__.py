"""Metrics of what generations share with the training texts.

`copies` finds the longest shared run of words; the metrics are its length, and the share of texts with a long
one.
"""
