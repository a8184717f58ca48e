"""What a study concludes from its records.

`conclude` writes the conclusions: estimates and `comparisons` with verdicts, effects of `decodings`, best
learning rates (`optima`), and published findings (`claims`).
"""
