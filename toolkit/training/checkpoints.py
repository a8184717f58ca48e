"""Checkpoints: what an adapter's holds beyond peft's own files, and which one is whole and undamaged.

peft saves what is finished: of P-tuning not the network that is still being trained, of AdaLoRA not the ranks
that are masked for now.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from toolkit import runtime
from toolkit.errors import UserError
from toolkit.origins import sha256
from toolkit.records.files import whole_file, write_text
from toolkit.records.folders import CLOCK, sealed

TRAINABLE = "trainable.pt"
"""The trainable weights, and AdaLoRA's scores and choice of ranks."""
DIGEST = "trainable.sha256"
STATE = "trainer_state.json"
"""transformers' own file, in every whole checkpoint."""
SCORES = ("ipt", "exp_avg_ipt", "exp_avg_unc")

logger = logging.getLogger(__name__)


def save_trainable(model: Any, folder: Path) -> None:
    """Write every trainable weight, AdaLoRA's scores and choice of ranks, and the file's SHA-256."""
    weights = {name: weight.detach() for name, weight in model.named_parameters() if weight.requires_grad}
    allocator = _allocator(model)
    ranks = None
    if allocator is not None:
        scores = {name: getattr(allocator, name) for name in SCORES}
        ranks = {"scores": scores, "pattern": allocator.peft_config.rank_pattern}
    (folder / DIGEST).unlink(missing_ok=True)
    with whole_file(folder / TRAINABLE) as path:
        torch.save({"weights": weights, "ranks": ranks}, path)
    write_text(folder / DIGEST, sha256([folder / TRAINABLE]))


@torch.no_grad()
def load_trainable(model: Any, folder: Path) -> bool:
    """Restore what `save_trainable` wrote; return False if it wrote nothing there, as for full fine-tuning.

    Raises UserError if the file is damaged.
    """
    path = folder / TRAINABLE
    if not path.is_file():
        return False
    if not (folder / DIGEST).is_file() or (folder / DIGEST).read_text() != sha256([path]):
        raise UserError(f"{path} is damaged: delete {folder.parent} and run the study again")
    saved = torch.load(path, map_location=next(model.parameters()).device, weights_only=True)
    weights = dict(model.named_parameters())
    for name, value in saved["weights"].items():  # LoRA-FA's optimizer, which is made later, freezes some
        weights[name].copy_(value)
    if saved["ranks"] is not None:
        allocator = _allocator(model)
        for name, scores in saved["ranks"]["scores"].items():
            setattr(allocator, name, scores)
        allocator.peft_config.rank_pattern = saved["ranks"]["pattern"]
    return True


def seal(checkpoint: Path, clock: Mapping[str, float], computed: Mapping[str, str]) -> None:
    """Write `clock.json`, the last file of a checkpoint: its ``clock`` and all other files' SHA-256.

    ``computed``: the precision and the device of its training.

    One that is not whole, because files of it were deleted meanwhile, is logged in one line and not sealed.
    """
    if not (checkpoint / STATE).is_file():
        logger.warning("%s has no %s: no run resumes from it", checkpoint, STATE)
        return
    files = {
        path.relative_to(checkpoint).as_posix(): sha256([path])
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != CLOCK
    }
    write_text(
        checkpoint / CLOCK, json.dumps({"clock": dict(clock), "computed": dict(computed), "files": files})
    )


def clock_of(checkpoint: Path) -> dict[str, Any]:
    """Return the clock that `seal` wrote."""
    clock: dict[str, Any] = json.loads((checkpoint / CLOCK).read_text())["clock"]
    return clock


def discard_unsealed(folder: Path) -> None:
    """Delete checkpoints that were being written when the process died; of several processes, in the first.

    transformers keeps the checkpoints of the highest steps: beside one of a later step that is not whole it
    would delete whole ones.
    """
    if runtime.rank():
        return
    for path in folder.glob("checkpoint-*"):
        if re.fullmatch("checkpoint-[0-9]+", path.name) and not (path / CLOCK).is_file():
            shutil.rmtree(path, ignore_errors=True)


def latest_intact(folder: Path, computed: Mapping[str, str]) -> Path | None:
    """Return the newest checkpoint in ``folder`` whose every file is as it was sealed, or None.

    Each damaged one is logged in one line and deleted, and all of them if they were ``computed`` in another
    precision or on another device: a run that went on from there would be of neither.
    """
    complete = sealed(folder)
    if complete and (before := _computed(complete[0])) not in (None, computed):
        now, then = (" on ".join(one.values()) for one in (computed, before or {}))
        logger.warning("%s was computed in %s, not %s: the run starts from its beginning", folder, then, now)
        if runtime.rank() == 0:
            shutil.rmtree(folder, ignore_errors=True)
        return None
    for number, checkpoint in enumerate(complete):
        damage = _damage(checkpoint)
        if damage is None:
            return checkpoint
        older = complete[number + 1].name if number + 1 < len(complete) else None
        logger.warning(
            "%s is damaged (%s): %s",
            checkpoint,
            damage,
            f"trying {older}" if older else "the run starts from its beginning",
        )
        if runtime.rank() == 0:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def _computed(checkpoint: Path) -> dict[str, str] | None:
    """The precision and device that a checkpoint was sealed with; None if that is not known."""
    try:
        computed: dict[str, str] | None = json.loads((checkpoint / CLOCK).read_text()).get("computed")
    except (ValueError, AttributeError, RecursionError, OSError):
        return None
    return computed


def _damage(checkpoint: Path) -> str | None:
    try:
        files = json.loads((checkpoint / CLOCK).read_text(encoding="utf-8"))["files"]
        if STATE not in files:  # sealed by earlier versions, whatever was in it
            return f"{STATE} is missing"
        for name, digest in files.items():
            if not (checkpoint / name).is_file():
                return f"{name} is missing"
            if sha256([checkpoint / name]) != digest:
                return f"{name} has changed"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{CLOCK} cannot be read"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return None


def _allocator(model: Any) -> Any:
    return getattr(getattr(model, "base_model", None), "rankallocator", None)
