"""Metrics of how much generations differ from each other, over the whole set."""
