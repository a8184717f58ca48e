"""Paired statistics over seeds and documents: intervals, p-values, verdicts, sample sizes.

`compare` is the entry: it takes additive statistics of two methods. `estimates`, `crossed` and `resampling`
give intervals, `verdicts` decides, and `power` predicts what more seeds or documents would decide.
"""
