"""Which method a board may call better than its baseline."""

from __future__ import annotations

LEVEL = 0.01
"""Of a p-value corrected over the board; a fifth of a verdict's, since boards are read for winners."""
LEAST_SEEDS = 3
"""From three seeds on a verdict is about methods and not about checkpoints."""


def may_be_called_better(verdict: str, p: float | None, *, seeds: int, tuned: bool) -> bool:
    """Whether a verdict is *better* by tuned methods, enough seeds and a corrected ``p`` below the level."""
    return verdict == "better" and tuned and seeds >= LEAST_SEEDS and p is not None and p < LEVEL
