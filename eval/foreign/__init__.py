"""Other tools' results as additive statistics: one reader per source, then the same comparison as our own.

`read` recognises a file by its content; `scores` holds what every reader returns; `judge` compares.
"""

from eval.foreign.read import read
from eval.foreign.scores import ItemScores

__all__ = ["ItemScores", "read"]
