"""Metrics of what generations share with the training texts."""
