"""Base and trained models of a study write the same dish, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.analysis.conclude import read
from experiments.design.study import name_of
from toolkit.data.format import opening
from toolkit.errors import UserError
from toolkit.records import Cell, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import BASE, Decoding, EvalSpec, Format


def side_by_side(
    titles: Sequence[str],
    *,
    study: str,
    temperatures: Sequence[float],
    top_p: float,
    max_new_tokens: int,
    seed: int,
    root: Path,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """One row a title, temperature and model: `title`, `temperature`, `method`, `text`, `ended`, `tokens`."""
    cells = _one_a_method(read(root, name_of(study)).cells)
    names = [" ".join(title.split()) for title in titles]
    if not all(names):
        raise UserError("generate: a title is empty")
    if max_new_tokens < 1:
        raise UserError(f"generate: --max-new-tokens is at least 1, got {max_new_tokens}")
    decodings = _decodings(temperatures, top_p)
    spec = EvalSpec(max_new_tokens=max_new_tokens, seed=seed)
    for cell in cells:
        if cell.method != BASE:
            RunFolder(root, cell.run_id).require_artifact()

    # torch only from here on: what is wrong above is told at once
    from eval.inference.generation import generate
    from toolkit import runtime
    from toolkit.models import load, methods

    runtime.quiet_libraries()
    rows = []
    form = _format(root, cells)
    for cell in cells:
        say(f"{cell.method}: writing")
        run = RunRecord.read(RunFolder(root, cell.run_id).record)
        tokenizer = load.load_tokenizer(run.spec.model)
        artifact = RunFolder(root, cell.run_id).artifact
        model = load.load_artifact(run.spec.model, artifact, methods.quantization(run.spec.method))
        model = model.to(runtime.device()).eval()
        if runtime.resolve_precision(run.spec.train.precision) == "bf16":
            model.bfloat16()
        first = form.sections[0]
        prompts = [opening(form, name) for name in names]
        for decoding in decodings:
            written = generate(model, tokenizer, prompts, first.name, decoding, spec)
            for title, generation in zip(titles, written, strict=True):
                rows.append(
                    {
                        "title": title,
                        "temperature": decoding.temperature,
                        "method": cell.method,
                        "text": generation.document,
                        "ended": generation.ended,
                        "tokens": generation.tokens,
                    }
                )
        del model
        runtime.release()
    return rows


def _decodings(temperatures: Sequence[float], top_p: float) -> list[Decoding]:
    if not all(0 <= t <= 100 for t in temperatures):
        raise UserError("generate: --temperature is 0 (greedy) or above, e.g. --temperature 0.3 0.7 1.0")
    if not 0 < top_p <= 1:
        raise UserError(f"generate: --top-p is above 0 and at most 1, got {top_p}")
    return [Decoding(name=f"t{t:g}", temperature=t, top_p=top_p) for t in temperatures]


def _one_a_method(cells: Sequence[Cell]) -> list[Cell]:
    """The anchor and each method's first finished confirming run, of the first panel."""
    usable = [c for c in cells if c.status == "finished" and c.phase in ("base", "confirm")]
    if not usable:
        raise UserError("generate: the study has no finished run yet; `bakeoff run` it first")
    first = usable[0]
    panel = [c for c in usable if c.condition == first.condition]
    names = sorted(
        {c.method for c in panel}, key=lambda name: (name != BASE, [c.method for c in panel].index(name))
    )
    return [next(c for c in panel if c.method == name) for name in names]


def _format(root: Path, cells: Sequence[Cell]) -> Format:
    """The format of the documents that the methods were trained on."""
    for cell in cells:
        dataset = RunRecord.read(RunFolder(root, cell.run_id).record).spec.dataset
        if dataset is not None:
            return dataset.format
    raise UserError("generate: the study has no finished run yet; `bakeoff run` it first")
