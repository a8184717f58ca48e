"""A study's evaluations as Every Eval Ever: one JSON line per run, metric and held-out document."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.metrics import Metric, all_metrics
from eval.metrics.base import number
from eval.statistics.observations import stack
from toolkit.data.format import after_prompt, plain_text
from toolkit.errors import UserError
from toolkit.records import (
    Cell,
    Conclusions,
    DocumentStatistics,
    EvaluationKey,
    EvaluationRecord,
    Generation,
    Outcome,
    StudyRecords,
)
from toolkit.records.files import whole_file
from toolkit.records.folders import Root
from toolkit.specs import AnyFormat

SCHEMA_VERSION = "0.2.1"
"""Of `instance_level_eval.schema.json` in github.com/evaleval/every_eval_ever."""


def export_every_eval_ever(conclusions: Conclusions, root: Path, target: Path) -> int:
    """Write every evaluation's per-document scores to ``target``; return the number of lines.

    The score of a document is its metric's value on that document alone. For a metric that is a ratio of
    sums, such as bits per byte or BLEU, the study's own value is not the mean of these. `is_correct` is true
    if a metric that is a share passes, and says nothing of other metrics. Documents on which a metric is not
    defined have no line. Raises UserError without an evaluated run, or if the file can't be written.
    """
    records = StudyRecords.read(conclusions.cells, Root(root))
    if not records.evaluated:
        raise UserError(f"export: study '{conclusions.study}' has no evaluated run")
    count = 0
    with (
        whole_file(target, "Choose another file with --to") as neighbour,
        neighbour.open("w", encoding="utf-8") as stream,
    ):
        seen: set[EvaluationKey] = set()  # a base stands under every training size with one evaluation
        for cell in records.evaluated:
            key = cell.run_id, cell.eval_digest
            if key not in seen:
                seen.add(key)
                for line in _lines(conclusions.study, cell, records):
                    stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
                    count += 1
    return count


def _lines(study: str, cell: Cell, records: StudyRecords) -> Iterator[dict[str, Any]]:
    evaluation = records.evaluations[cell.run_id, cell.eval_digest]
    metrics = {name: metric for name, metric in all_metrics().items() if name in evaluation.metrics}
    # of any trained run on the data: the untouched base's record names no data set
    datasets = [run.spec.dataset for run in records.runs.values()]
    form = next((one.format for one in datasets if one is not None and one.name == cell.dataset), None)
    for outcome, row in zip(records.outcomes(cell), records.statistics(cell), strict=True):
        generation = _generation(outcome, row)
        for name, metric in metrics.items():
            score = _score(metric, row.metrics.get(name))
            if score is not None and not outcome.general:
                text = generation if metric.of_generations else None
                reference = _reference(outcome, text, form)
                yield _line(study, cell, evaluation, outcome, text, reference, metric, score)


def _generation(outcome: Outcome, row: DocumentStatistics) -> Generation | None:
    """Return the text of the headline's setting, which the statistics are about; None if none was written."""
    setting = row.settings[0]
    for generation in outcome.generations:
        if (generation.prompt_mode, generation.decoding) == (setting.prompt_mode, setting.decoding):
            return generation
    return None


def _reference(outcome: Outcome, generation: Generation | None, form: AnyFormat | None) -> str:
    """Return what a text should be: what follows its prompt in the document; without a text, all of it."""
    if form is None:
        return outcome.reference
    if generation is None:
        return plain_text(outcome.reference, form)
    return after_prompt(outcome.reference, form, generation.prompt_mode)


def _score(metric: Metric, statistics: tuple[float, ...] | None) -> float | None:
    if statistics is None:
        return None
    return number(float(metric.aggregate(stack([[statistics]])[:, 0, : metric.value_columns])[0]))


def _line(
    study: str,
    cell: Cell,
    evaluation: EvaluationRecord,
    outcome: Outcome,
    generation: Generation | None,
    reference: str,
    metric: Metric,
    score: float,
) -> dict[str, Any]:
    value = evaluation.metrics[metric.name]
    prompt = generation.prompt if generation else ""
    texts = [generation.text] if generation else []
    attribution = {
        "turn_idx": 0,
        "source": "output.raw",
        "extraction_method": "none",
        "is_terminal": True,
    }
    metadata = {
        "study": study,
        "method": cell.method,
        "seed": str(cell.seed),
        "metric": metric.name,
        "unit": value.unit,
        "direction": value.direction,
        "signature": value.signature,
        "test": evaluation.test,
        "title": outcome.title,
        **({"decoding": generation.decoding, "prompt_mode": generation.prompt_mode} if generation else {}),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{study}/{cell.run_id}/{evaluation.digest}",
        "model_id": f"bakeoff/{cell.run_id}",
        "evaluation_name": f"{cell.dataset}/{metric.name}",
        "sample_id": outcome.document_id,
        "sample_hash": hashlib.sha256(f"{prompt}{reference}".encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": prompt, "reference": [reference]},
        "output": {"raw": texts},
        "answer_attribution": [{**attribution, "extracted_value": text} for text in texts],
        "evaluation": {"score": score, "is_correct": metric.binary and score == 1},
        "metadata": metadata,
    }
