"""A finished run and held-out documents -> outcomes -> metrics -> a record. The model is asked once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from eval.anchors import ANCHORS
from eval.metrics import Context, all_metrics, measure, signature
from toolkit.data.format import Format
from toolkit.errors import UserError
from toolkit.records import EvaluationRecord, MetricValue, Outcome, RunRecord, read_lines, write_lines
from toolkit.specs import EvalSpec, digest_of
from toolkit.store import RunFolder


def evaluation_digest(spec: EvalSpec, test: str, form: Format) -> str:
    """Identity of an evaluation: settings, test part and format; not the metrics, which are arithmetic."""
    return digest_of([spec.model_dump(mode="json"), test, form.model_dump(mode="json")])


def context_of(spec: EvalSpec, form: Format, train: Sequence[str] = ()) -> Context:
    """What the metrics look at: the first prompt mode and decoding are the headline's."""
    return Context(form=form, train=train, prompt_mode=spec.prompts[0], decoding=spec.decodings[0].name)


def is_current(folder: RunFolder, digest: str, context: Context) -> bool:
    """Whether the evaluation is there and holds every metric there is, with its present signature."""
    path = folder.evaluation(digest)
    if not path.is_file():
        return False
    record = EvaluationRecord.read(path)
    return {name: value.signature for name, value in record.metrics.items()} == {
        name: signature(metric, context) for name, metric in all_metrics().items()
    }


def evaluate(
    run: RunRecord,
    folder: RunFolder,
    spec: EvalSpec,
    form: Format,
    *,
    train: Sequence[str],
    test: Sequence[str],
    fingerprint: str,
    progress: Any,
) -> EvaluationRecord:
    """Evaluate a run. Outcomes that are there are not made again, so a new metric needs no model."""
    digest = evaluation_digest(spec, fingerprint, form)
    context = context_of(spec, form, train)
    seconds: dict[str, float] = {}
    if folder.outcomes(digest).is_file():
        outcomes = read_lines(folder.outcomes(digest), Outcome)
    else:
        outcomes, seconds = _ask(run, folder, spec, form, test, progress)
        write_lines(folder.outcomes(digest), outcomes)
    if len(outcomes) != len(test):
        raise UserError(
            f"{folder.outcomes(digest)} has {len(outcomes)} outcomes for {len(test)} documents: delete it"
        )
    progress({"event": "phase", "phase": "measuring"})
    began = time.perf_counter()
    values, outcomes = _measure(outcomes, context)
    marks = {name: _measure(make(outcomes, context), context)[0] for name, make in ANCHORS.items()}
    write_lines(folder.outcomes(digest), outcomes)
    record = EvaluationRecord(
        digest=digest,
        spec=spec,
        test=fingerprint,
        format=form.name,
        metrics=values,
        anchors={
            name: {key: value for key, value in found.items() if value.value is not None}
            for name, found in marks.items()
        },
        seconds={**seconds, "metrics": time.perf_counter() - began},
        run=run,
    )
    record.write(folder.evaluation(digest))
    return record


def _measure(outcomes: Sequence[Outcome], context: Context) -> tuple[dict[str, MetricValue], list[Outcome]]:
    """Every metric over the outcomes, and the outcomes with their statistics on them."""
    values: dict[str, MetricValue] = {}
    statistics: list[dict[str, tuple[float, ...] | None]] = [{} for _ in outcomes]
    for name, metric in all_metrics().items():
        values[name], rows = measure(metric, outcomes, context)
        for kept, row in zip(statistics, rows, strict=True):
            kept[name] = row
    marked = [
        outcome.model_copy(update={"statistics": kept})
        for outcome, kept in zip(outcomes, statistics, strict=True)
    ]
    return values, marked


def _ask(
    run: RunRecord, folder: RunFolder, spec: EvalSpec, form: Format, test: Sequence[str], progress: Any
) -> tuple[list[Outcome], dict[str, float]]:
    # What is evaluated is what was saved, loaded again: torch only from here on.
    from eval.outcomes import outcomes
    from toolkit import methods, models, runtime

    progress({"event": "phase", "phase": "loading"})
    tokenizer = models.load_tokenizer(run.spec.model)
    model = models.load_artifact(run.spec.model, folder.artifact, methods.quantization(run.spec.method))
    model = model.to(runtime.device())
    precision = runtime.resolve_precision(run.spec.train.precision)
    progress({"event": "phase", "phase": "evaluating"})
    return outcomes(model, tokenizer, test, form, spec, precision=precision, progress=progress)
