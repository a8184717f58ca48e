"""The lowest validation so far: its weights, where they are to be kept, and when a run may stop early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from toolkit import runtime
from toolkit.specs import TrainSpec


class Best:
    """Follows validation bits per byte. The weights lie beside the checkpoints: a killed run has them."""

    def __init__(self, asked: TrainSpec, folder: Path) -> None:
        self._file = folder / "best.safetensors"
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
                self._file.parent.mkdir(parents=True, exist_ok=True)
                unfinished = self._file.with_suffix(".unfinished")
                save_file({n: w.detach().contiguous() for n, w in _moving(model)}, unfinished)
                unfinished.replace(self._file)
            return False
        self._since += 1
        return self._patience is not None and self._since >= self._patience

    @torch.no_grad()
    def restore(self, model: Any) -> bool:
        """Put the best weights back; False where the last ones are to be kept."""
        if not self._keep or not self._file.is_file():
            return False
        kept = load_file(self._file)
        for name, weight in _moving(model):
            weight.copy_(kept[name])
        return True


def _moving(model: Any) -> list[tuple[str, torch.Tensor]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
