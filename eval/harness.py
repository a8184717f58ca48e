"""A finished run and held-out documents -> outcomes -> metrics -> a record. The model is asked once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from eval import general_text
from eval.anchors import ANCHORS
from eval.metrics import Context, Metric, all_metrics, measure, signature
from toolkit.errors import UserError
from toolkit.events import Listener, PhaseStarted
from toolkit.records import (
    EvaluationRecord,
    MetricValue,
    Outcome,
    RunRecord,
    SettingMetrics,
    read_lines,
    write_lines,
)
from toolkit.records.folders import RunFolder
from toolkit.specs import EvalSpec, Format, digest_of

Statistics = dict[str, tuple[float, ...] | None]  # metric -> its statistics on a document


def evaluation_digest(spec: EvalSpec, test: str, form: Format) -> str:
    """Identity of an evaluation: settings, test part and format; not the metrics, which are arithmetic."""
    return digest_of([spec.model_dump(mode="json"), test, form.model_dump(mode="json")])


def contexts_of(spec: EvalSpec, form: Format, train: Sequence[str] = ()) -> list[Context]:
    """What the metrics look at, one for each prompt mode and decoding; the first is the headline's."""
    first = Context(form=form, train=train)
    return [first.at(mode, decoding.name) for mode in spec.prompts for decoding in spec.decodings]


def is_current(folder: RunFolder, digest: str, contexts: Sequence[Context]) -> bool:
    """Whether the evaluation is there and holds every metric there is, with its present signature."""
    path = folder.evaluation(digest)
    if not path.is_file():
        return False
    record = EvaluationRecord.read(path)
    there = [record.metrics, *(setting.metrics for setting in record.settings)]
    # A metric that was measured where its package is, and can't be had here, is no reason to measure again.
    return len(there) == len(contexts) and all(
        name in found and found[name].signature == signature(metric, context)
        for found, context, metrics in zip(there, contexts, _asked(contexts), strict=True)
        for name, metric in metrics.items()
    )


def _asked(contexts: Sequence[Context]) -> list[dict[str, Metric]]:
    """The metrics of each context: what does not look at generations is the same in all, and in the first."""
    every = all_metrics()
    others = {name: metric for name, metric in every.items() if metric.of_generations}
    return [every, *(others for _ in contexts[1:])]


def evaluate(
    run: RunRecord,
    folder: RunFolder,
    spec: EvalSpec,
    form: Format,
    *,
    train: Sequence[str],
    test: Sequence[str],
    fingerprint: str,
    progress: Listener,
) -> EvaluationRecord:
    """Evaluate a run. Outcomes that are there are not made again, so a new metric needs no model."""
    digest = evaluation_digest(spec, fingerprint, form)
    contexts = contexts_of(spec, form, train)
    headline = contexts[0]
    seconds: dict[str, float] = {}
    if folder.outcomes(digest).is_file():
        outcomes = read_lines(folder.outcomes(digest), Outcome)
    else:
        outcomes, seconds = _ask(run, folder, spec, form, test, progress)
        write_lines(folder.outcomes(digest), outcomes)
    held_out = [outcome for outcome in outcomes if not outcome.general]
    if len(held_out) != len(test):
        raise UserError(
            f"{folder.outcomes(digest)} has {len(held_out)} outcomes for {len(test)} documents: delete it"
        )
    progress(PhaseStarted(phase="measuring"))
    began = time.perf_counter()
    every, *others = _asked(contexts)
    values, rows = _measure(outcomes, headline, every)
    outcomes = [o.model_copy(update={"statistics": row}) for o, row in zip(outcomes, rows, strict=True)]
    settings = []
    for context, metrics in zip(contexts[1:], others, strict=True):
        found, rows = _measure(outcomes, context, metrics)
        outcomes = [_marked(o, context, row) for o, row in zip(outcomes, rows, strict=True)]
        place = {"prompt_mode": context.prompt_mode, "decoding": context.decoding}
        settings.append(SettingMetrics(**place, metrics=found))
    # Of the documents that were written for: a set's diversity depends on its size.
    asked = [outcome for outcome in held_out if outcome.generations] or held_out
    marks = {name: _measure(make(asked, headline), headline, every)[0] for name, make in ANCHORS.items()}
    write_lines(folder.outcomes(digest), outcomes)
    record = EvaluationRecord(
        digest=digest,
        spec=spec,
        test=fingerprint,
        format=form.name,
        metrics=values,
        settings=tuple(settings),
        anchors={
            name: {key: value for key, value in found.items() if value.value is not None}
            for name, found in marks.items()
        },
        seconds={**seconds, "metrics": time.perf_counter() - began},
        run=run,
    )
    record.write(folder.evaluation(digest))
    return record


def _measure(
    outcomes: Sequence[Outcome], context: Context, metrics: dict[str, Metric]
) -> tuple[dict[str, MetricValue], list[Statistics]]:
    """The metrics over the outcomes, and each outcome's statistics on them."""
    values: dict[str, MetricValue] = {}
    statistics: list[Statistics] = [{} for _ in outcomes]
    for name, metric in metrics.items():
        values[name], rows = measure(metric, outcomes, context)
        for kept, row in zip(statistics, rows, strict=True):
            kept[name] = row
    return values, statistics


def _marked(outcome: Outcome, context: Context, statistics: Statistics) -> Outcome:
    """The outcome with the statistics beside the generation that they are about."""
    scored = context.generation(outcome)
    generations = [
        g.model_copy(update={"statistics": statistics}) if g is scored else g for g in outcome.generations
    ]
    return outcome.model_copy(update={"generations": tuple(generations)})


def _ask(
    run: RunRecord, folder: RunFolder, spec: EvalSpec, form: Format, test: Sequence[str], progress: Listener
) -> tuple[list[Outcome], dict[str, float]]:
    # What is evaluated is what was saved, loaded again: torch only from here on.
    from eval.inference.outcomes import outcomes
    from toolkit import runtime
    from toolkit.models import load, methods

    if run.spec.learning_rate is not None:
        folder.require_artifact()
    probe = general_text.texts(spec.general) if spec.general else []
    progress(PhaseStarted(phase="loading"))
    tokenizer = load.load_tokenizer(run.spec.model)
    model = load.load_artifact(run.spec.model, folder.artifact, methods.quantization(run.spec.method))
    model = model.to(runtime.device())
    precision = runtime.resolve_precision(run.spec.train.precision)
    progress(PhaseStarted(phase="evaluating"))
    return outcomes(model, tokenizer, test, form, spec, general=probe, precision=precision, progress=progress)
