"""Metrics of structure: the checks derived from a format, how many pass, and whether generation stopped."""
