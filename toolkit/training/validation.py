"""The lowest validation so far: its weights, where they are to be kept, and when a run may stop early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit import runtime
from toolkit.specs import TrainSpec
from toolkit.training import checkpoints


class Best:
    """Follows validation bits per byte. The weights lie beside the checkpoints: a killed run has them."""

    def __init__(self, asked: TrainSpec, folder: Path) -> None:
        self._folder = folder / "best"
        self._keep, self._patience = asked.keep == "best", asked.patience
        self.step: int | None = None
        self.bits: float | None = None
        self._since = 0

    def seen(self, step: int, bits: float, model: Any = None) -> bool:
        """Take note of a validation; True where the run's patience is at its end.

        ``model`` is absent for what a run that goes on has seen before: its weights are on disk already.
        """
        if self.bits is None or bits < self.bits:
            self.step, self.bits, self._since = step, bits, 0
            if self._keep and model is not None and runtime.rank() == 0:
                checkpoints.keep(model, self._folder)
            return False
        self._since += 1
        return self._patience is not None and self._since >= self._patience

    def restore(self, model: Any) -> bool:
        """Put the best weights back; False where the last ones are to be kept."""
        return self._keep and checkpoints.restore(model, self._folder)
