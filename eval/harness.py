"""Evaluate a finished run on held-out documents: outcomes, their statistics, metrics, and a record."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from eval import general_text
from eval.anchors import ANCHORS
from eval.inference.saved import outcomes_of
from eval.metrics import Context, Metric, all_metrics, measure, signature
from toolkit.data.conversations.template import rendering
from toolkit.data.format import prompt
from toolkit.events import Listener, PhaseStarted
from toolkit.records import (
    DocumentStatistics,
    EvaluationRecord,
    MetricValue,
    Outcome,
    RunRecord,
    SettingMetrics,
    SettingStatistics,
    hashes,
    write_lines,
)
from toolkit.records.folders import RunFolder
from toolkit.specs import AnyFormat, EvalSpec, ModelSpec, digest_of

Rows = dict[str, list[tuple[float, ...] | None]]
"""Metric -> additive statistics of each document."""
NO_CLUSTERS: Mapping[str, str] = MappingProxyType({})
"""Of a data set without a `cluster` column: documents with equal prompts are one cluster."""


def evaluation_digest(spec: EvalSpec, test: str, form: AnyFormat) -> str:
    """Return the identity of an evaluation: settings, test split and format.

    The metrics are no part of it: they are arithmetic on the same outcomes. Files count by their content.
    """
    dumped = form.model_dump(mode="json", exclude={"scoring"})
    if str(dumped.get("template")).endswith(".jinja"):
        dumped["template"] = None  # the path of a file: its text counts, as rendered
    asked = spec.model_dump(mode="json")
    if spec.general and spec.general.dataset.files:
        asked["general"]["dataset"]["files"] = general_text.identity(spec.general)
    return digest_of([asked, test, dumped, *rendering(form)[:1]])


def contexts_of(
    spec: EvalSpec, form: AnyFormat, train: Sequence[str] = (), further: Sequence[str] = ()
) -> list[Context]:
    """Return what the metrics look at, one per prompt mode and decoding; the first is the headline's."""
    first = Context(form=form, train=train, further=further)
    return [first.at(mode, decoding.name) for mode in spec.prompts for decoding in spec.decodings]


def is_current(
    folder: RunFolder,
    digest: str,
    contexts: Sequence[Context],
    clusters: Mapping[str, str] = NO_CLUSTERS,
    train: str | None = None,
) -> bool:
    """Whether the evaluation is finished, with every available metric as it is now, and these clusters.

    ``train``: fingerprint of the training split that texts are compared with, for what a model copies. It has
    to be the same if the evaluation's is known; None leaves it unchecked.
    """
    path = folder.evaluation(digest)
    if not path.is_file() or not folder.statistics(digest).is_file():
        return False
    if hashes.any_changed(folder.outcomes(digest), folder.statistics(digest), path):
        return False
    record = EvaluationRecord.read(path)
    if record.clusters != _digest(clusters):
        return False
    if None not in (train, record.train) and record.train != train:
        return False
    measured = [record.metrics, *(setting.metrics for setting in record.settings)]
    # A metric that was measured elsewhere and is unavailable here is no reason to measure again.
    return len(measured) == len(contexts) and all(
        name in values and values[name].signature == signature(metric, context)
        for values, context, metrics in zip(measured, contexts, _metrics_of(contexts), strict=True)
        for name, metric in metrics.items()
    )


def metrics_for(form: AnyFormat) -> dict[str, Metric]:
    """Return the available metrics that say anything about documents of a format."""
    return {name: item for name, item in all_metrics().items() if item.defined_on(form)}


def _metrics_of(contexts: Sequence[Context]) -> list[dict[str, Metric]]:
    """The metrics of each context; those that look at no generation only in the first, being the same."""
    every = metrics_for(contexts[0].form)
    others = {name: metric for name, metric in every.items() if metric.of_generations}
    return [every, *(others for _ in contexts[1:])]


def evaluate(
    run: RunRecord,
    folder: RunFolder,
    spec: EvalSpec,
    form: AnyFormat,
    *,
    train: Sequence[str],
    test: Sequence[str],
    fingerprint: str,
    train_fingerprint: str | None = None,
    further: Sequence[str] = (),
    clusters: Mapping[str, str] = NO_CLUSTERS,
    base: ModelSpec | None = None,
    progress: Listener,
) -> EvaluationRecord:
    """Evaluate a run and return its record, written last.

    Outcomes on disk are used as they are and never rewritten, so a new metric needs no model. ``fingerprint``
    is that of ``test``. ``further`` are excluded documents that share a title with a test document.
    ``clusters``: id of a test document -> label, if documents depend on each other by more than equal
    prompts. ``base`` is the base model as it lies on this machine; None takes the record's, which for an
    imported run names no folder.
    """
    digest = evaluation_digest(spec, fingerprint, form)
    contexts = contexts_of(spec, form, train, further)
    outcomes, seconds = outcomes_of(run, folder, digest, spec, form, test, base, progress)
    progress(PhaseStarted(phase="measuring"))
    began = time.perf_counter()
    values: list[dict[str, MetricValue]] = []
    rows: list[Rows] = []
    for context, metrics in zip(contexts, _metrics_of(contexts), strict=True):
        of_context, rows_of_context = measure_all(outcomes, context, metrics)
        values.append(of_context)
        rows.append(rows_of_context)
    record = EvaluationRecord(
        digest=digest,
        spec=spec,
        test=fingerprint,
        train=train_fingerprint,
        format=form.name,
        metrics=values[0],
        settings=tuple(
            SettingMetrics(prompt_mode=str(c.prompt_mode), decoding=str(c.decoding), metrics=found)
            for c, found in zip(contexts[1:], values[1:], strict=True)
        ),
        anchors=_anchors(outcomes, contexts[0]),
        seconds={**seconds, "metrics": time.perf_counter() - began},
        clusters=_digest(clusters),
        one_at_a_time=any(not text.batched for outcome in outcomes for text in outcome.generations),
        run=run,
    )
    statistics = document_statistics(outcomes, contexts, rows, clusters)
    write_lines(folder.statistics(digest), statistics, sealed=True)
    record.write(folder.evaluation(digest), sealed=True)
    return record


def measure_all(
    outcomes: Sequence[Outcome], context: Context, metrics: dict[str, Metric]
) -> tuple[dict[str, MetricValue], Rows]:
    """Measure several metrics over the outcomes; also return each outcome's statistics by metric."""
    measured = {name: measure(metric, outcomes, context) for name, metric in metrics.items()}
    values = {name: value for name, (value, _) in measured.items()}
    return values, {name: rows for name, (_, rows) in measured.items()}


def document_statistics(
    outcomes: Sequence[Outcome],
    contexts: Sequence[Context],
    rows: Sequence[Rows],
    clusters: Mapping[str, str] = NO_CLUSTERS,
) -> list[DocumentStatistics]:
    """Arrange the statistics by document; ``rows`` are those of each context, the headline's first.

    ``clusters``: id of a document -> label; a document without one has that of its prompt.
    """
    return [
        DocumentStatistics(
            document_id=outcome.document_id,
            cluster=clusters.get(outcome.document_id) or _of_prompt(outcome, contexts[0]),
            general=outcome.general,
            settings=tuple(
                SettingStatistics(
                    prompt_mode=context.prompt_mode or "first",
                    decoding=context.decoding or "first",
                    metrics={name: column[index] for name, column in of_context.items()},
                )
                for context, of_context in zip(contexts, rows, strict=True)
            ),
        )
        for index, outcome in enumerate(outcomes)
    ]


def _of_prompt(outcome: Outcome, context: Context) -> str:
    """Hash of the headline's prompt, or of a general text: equal prompts are answered alike."""
    mode = context.prompt_mode or context.form.sections[0].name
    text = outcome.reference if outcome.general else prompt(outcome.reference, context.form, mode)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest(clusters: Mapping[str, str]) -> str | None:
    return digest_of(dict(clusters)) if clusters else None


def _anchors(outcomes: Sequence[Outcome], context: Context) -> dict[str, dict[str, MetricValue]]:
    """Measure the anchors on the documents that were generated for: a set's diversity depends on its size."""
    held_out = [outcome for outcome in outcomes if not outcome.general]
    documents = [outcome for outcome in held_out if outcome.generations] or held_out
    texts = {name: make(documents, context) for name, make in ANCHORS.items()}
    measured = {
        name: measure_all(items, context, metrics_for(context.form))[0] for name, items in texts.items()
    }
    return {
        name: {key: value for key, value in values.items() if value.value is not None}
        for name, values in measured.items()
    }
