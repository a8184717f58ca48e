"""Other tools' results as additive statistics: a reader per tool, then the same comparison as our own.

`sources.read` recognises a file by its content and returns `ItemScores`; `judge` aligns and compares them.
"""

from eval.foreign.scores import ItemScores
from eval.foreign.sources import read

__all__ = ["ItemScores", "read"]
