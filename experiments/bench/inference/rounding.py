"""How far bf16 likelihoods are from fp32 ones, of a base and of what a few steps of training make of it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from experiments.bench.sides import in_a_process, trained_on
from experiments.bench.synthetic.shapes import model_at
from toolkit import config
from toolkit.records import RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import RunSpec, TrainSpec

METHODS = {"full": 1e-4, "lora-r16": 1e-3}
"""Methods that are trained, with the quickstart's learning rates."""
RECIPES = 20
"""Recipes that they are trained on: about four fill a batch, so five steps."""
Scores = list[float]


def rounding(base: Path, texts: list[str]) -> dict[str, Any]:
    """Train full fine-tuning and LoRA for five steps, and score ``texts`` in fp32 and in bf16.

    For `base`, `full` and `lora-r16`: the `steps` trained, and relative differences of bf16 from fp32:
    `whole` of the sum over all texts, `largest` of a text. The sign tells whether bf16 is worse (above 0).
    """
    settings = {"base": str(base), "texts": texts, "train": trained_on(RECIPES)}
    found = in_a_process(__name__, "trained", settings)
    return {
        name: {"steps": scores["steps"], **differences(scores["bf16"], scores["fp32"])}
        for name, scores in found.items()
    }


def differences(rounded: Scores, exact: Scores) -> dict[str, float]:
    """Return the relative difference of the sum, and the one of a text that is largest in size."""
    each = [a / b - 1 for a, b in zip(rounded, exact, strict=True)]
    return {"whole": sum(rounded) / sum(exact) - 1, "largest": max(each, key=abs)}


def _trained(settings: dict[str, Any]) -> dict[str, Any]:
    from toolkit.models import artifact

    spec = model_at(settings["base"])
    loaded = artifact.load_for_use(spec)
    found: dict[str, Any] = {"base": {"steps": 0, **_scores(*loaded, settings["texts"])}}
    with tempfile.TemporaryDirectory(prefix="bakeoff-bench-") as root:
        for name, rate in METHODS.items():
            record, folder = _train(settings, name, rate, Path(root))
            loaded = artifact.load_run(record, folder)
            found[name] = {"steps": record.costs.steps, **_scores(*loaded, settings["texts"])}
    return found


def _scores(model: Any, tokenizer: Any, texts: list[str]) -> dict[str, Scores]:
    """Nats of each text, without end-of-text, by precision."""
    from eval.inference.likelihood import likelihoods
    from eval.metrics.likelihood.likelihood import STOP

    form = config.document_format("recipe")
    result = {}
    for precision in ("fp32", "bf16"):
        scored = likelihoods(model, tokenizer, texts, form, precision=precision)
        result[precision] = [sum(p.nll for name, p in parts.items() if name != STOP) for parts in scored]
    return result


def _train(settings: dict[str, Any], name: str, rate: float, root: Path) -> tuple[RunRecord, RunFolder]:
    from toolkit.events import ignore
    from toolkit.training.train import train

    spec = RunSpec(
        model=model_at(settings["base"]),
        dataset=None,
        data=None,
        method=config.method(name),
        learning_rate=rate,
        train=TrainSpec(validations=1),
        seed=0,
    )
    folder = RunFolder(root, spec.run_id)
    folder.path.mkdir(parents=True)
    texts, end = settings["train"], config.document_format("recipe").end
    return train(spec, texts, texts[:2], end, folder, progress=ignore), folder


if __name__ == "__main__":
    print(json.dumps({"trained": _trained}[sys.argv[1]](json.load(sys.stdin))))
