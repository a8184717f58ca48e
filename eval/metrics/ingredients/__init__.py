"""Metrics of the ingredients: those the reference lists, and those the directions use."""
