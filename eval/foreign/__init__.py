"""Other tools' results as additive statistics: a reader per tool, then the same comparison as our own.

`sources.read` recognises a file by its content and returns `ItemScores`; `judge` aligns and compares them.
"""

from eval.foreign.sources import read
from eval.foreign.sources.scores import ItemScores

__all__ = ["ItemScores", "read"]
