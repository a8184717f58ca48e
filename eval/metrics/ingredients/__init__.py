"""Metrics of a list section: the items the reference lists, and those the text uses.

For recipes these are ingredients; `names` reads items from texts, the two metrics count matches and uses.
"""
