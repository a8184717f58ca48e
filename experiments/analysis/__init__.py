"""What a study concludes from its records, which are read once and handed on.

`conclude` ties the rest: `comparisons` with verdicts, `decodings` and failures of generations, `optima` of
learning rates, `claims` about published findings, and a method to `recommend`. `verify` computes it again.
"""
