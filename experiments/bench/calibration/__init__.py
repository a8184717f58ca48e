"""Simulated studies with a known truth: do intervals, p-values and verdicts keep their promises?

The results are the page `docs/calibration.md`, which is written from here.
"""
