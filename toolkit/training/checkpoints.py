"""What an adapter's checkpoint holds, so that a killed run goes on exactly where it was.

peft saves what is finished: of P-tuning not the network that is still being trained, of AdaLoRA not the ranks
that are masked for now.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

FILE = "moving.pt"
SCORES = ("ipt", "exp_avg_ipt", "exp_avg_unc")


def keep(model: Any, folder: Path) -> None:
    """Write every weight that moves, and AdaLoRA's scores and choice of ranks."""
    folder.mkdir(parents=True, exist_ok=True)
    moving = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
    allocator = _allocator(model)
    ranks = None
    if allocator is not None:
        scores = {name: getattr(allocator, name) for name in SCORES}
        ranks = {"scores": scores, "pattern": allocator.peft_config.rank_pattern}
    unfinished = (folder / FILE).with_suffix(".unfinished")
    torch.save({"weights": moving, "ranks": ranks}, unfinished)
    unfinished.replace(folder / FILE)


@torch.no_grad()
def restore(model: Any, folder: Path) -> bool:
    """Put back what `keep` wrote; False where there is no such file, as for full fine-tuning."""
    if not (folder / FILE).is_file():
        return False
    kept = torch.load(folder / FILE, map_location=next(model.parameters()).device, weights_only=True)
    moving = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for name, weight in moving.items():
        weight.copy_(kept["weights"][name])
    if kept["ranks"] is not None:
        allocator = _allocator(model)
        for name, scores in kept["ranks"]["scores"].items():
            setattr(allocator, name, scores)
        allocator.peft_config.rank_pattern = kept["ranks"]["pattern"]
    return True


def _allocator(model: Any) -> Any:
    return getattr(getattr(model, "base_model", None), "rankallocator", None)
