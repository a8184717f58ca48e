"""Published findings, and whether a study reproduces them.

`judge` takes comparisons and ratios for or against each finding, and gives it a verdict; `ratios` measures
those of costs and of best learning rates, with intervals.
"""
