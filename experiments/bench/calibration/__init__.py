"""Simulated studies with a known truth: do intervals, p-values and verdicts hold what they promise?

`draws` makes statistics of a known difference, `coverage` judges comparisons and families of them, `studies`
whole studies (a search for rates, looks, promises), `growing` the rule of `bakeoff run --until decided`, also
on a finished study's records, and `page` writes docs/calibration.md from all of it, by its `tables`:
`python -m experiments.bench.calibration`.
"""
