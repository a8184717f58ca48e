"""Base and trained models of a study write a document for the same title, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.analysis.conclude import read
from experiments.design.study import name_of
from experiments.sharing.trust import base_of
from toolkit.data.format import opening
from toolkit.errors import UserError
from toolkit.records import Cell, RunRecord
from toolkit.records.folders import Root
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
    trust_remote_code: bool = False,
) -> list[dict[str, Any]]:
    """Return one row per title, temperature and model: `title`, `temperature`, `method`, `text`, `ended`,
    `tokens`.

    Raises UserError for a bad option, a study without finished runs or weights, and a base model that its
    record may not decide to load.
    """
    cells = _one_per_method(read(root, name_of(study)).cells)
    names = [" ".join(title.split()) for title in titles]
    if not all(names):
        raise UserError("generate: a title is empty")
    if max_new_tokens < 1:
        raise UserError(f"generate: --max-new-tokens is at least 1, got {max_new_tokens}")
    decodings = _decodings(temperatures, top_p)
    spec = EvalSpec(max_new_tokens=max_new_tokens, seed=seed)
    bases, records = {}, {}
    for cell in cells:
        folder = Root(root).run(cell.run_id)
        if not cell.is_base:
            folder.require_artifact()
        records[cell.run_id] = RunRecord.read(folder.record)
        bases[cell.run_id] = base_of(
            records[cell.run_id], folder, "generate", trust_remote_code=trust_remote_code
        )

    # torch only from here on: whatever is wrong above is reported at once
    from eval.inference.generation import generate
    from toolkit import runtime
    from toolkit.models.artifact import for_generation, load_run

    runtime.quiet_libraries()
    rows = []
    document_format = _format(records.values())
    for cell in cells:
        say(f"{cell.method}: writing")
        run, base = records[cell.run_id], bases[cell.run_id]
        model, tokenizer = load_run(run, Root(root).run(cell.run_id), base)
        for_generation(model, run.spec.train.precision)
        first = document_format.sections[0]
        prompts = [opening(document_format, name) for name in names]
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


def _one_per_method(cells: Sequence[Cell]) -> list[Cell]:
    """Return the base and each method's first finished confirming run, of the first condition."""
    usable = [c for c in cells if c.status == "finished" and c.phase in ("base", "confirm")]
    if not usable:
        raise UserError("generate: the study has no finished run yet; `bakeoff run` it first")
    first = usable[0]
    panel = [c for c in usable if c.condition == first.condition]
    names = sorted(
        {c.method for c in panel}, key=lambda name: (name != BASE, [c.method for c in panel].index(name))
    )
    return [next(c for c in panel if c.method == name) for name in names]


def _format(records: Iterable[RunRecord]) -> Format:
    """Return the format of the documents that the methods were trained on."""
    for record in records:
        if record.spec.dataset is not None:
            if not isinstance(record.spec.dataset.format, Format):
                raise UserError("generate: the study trained on conversations; use `bakeoff playground`")
            return record.spec.dataset.format
    raise UserError("generate: the study has no finished run yet; `bakeoff run` it first")
