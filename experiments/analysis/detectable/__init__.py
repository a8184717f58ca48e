"""What a study can detect: the smallest difference, and the margin within which it can call equivalent.

`bases` finds the variances that a prediction rests on, `sizes` predicts from them, `wording` tells it.
"""

from experiments.analysis.detectable.bases import Basis, bases_from, bases_of
from experiments.analysis.detectable.sizes import (
    Detectable,
    Wanted,
    detectables,
    independent_of,
    tests_of,
    wanted,
)
from experiments.analysis.detectable.wording import as_rows, in_words

__all__ = [
    "Basis",
    "Detectable",
    "Wanted",
    "as_rows",
    "bases_from",
    "bases_of",
    "detectables",
    "in_words",
    "independent_of",
    "tests_of",
    "wanted",
]
