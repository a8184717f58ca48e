"""Metrics of structure: whether a text has its sections, and whether the model stopped by itself.

`checks` derives the checks from a document format; the metrics count texts that pass all, and checks that
pass.
"""
