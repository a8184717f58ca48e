"""What a study's generations say besides the verdicts: every prompt and decoding, and what fails how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.anchors import references
from eval.failures import CLASSES, failures
from eval.metrics import Context, Metric, all_metrics
from eval.metrics.base import Floats
from eval.statistics import compare
from eval.statistics.observations import complete
from eval.statistics.variance_components import Shares, error_covariance, shares
from experiments.analysis.statistics import Rows, clusters_of, count, unmeasured
from experiments.design.study import StudySpec
from toolkit.records import (
    Cell,
    Condition,
    DecodingEffect,
    DocumentStatistics,
    FailedGeneration,
    FailureCount,
    Generation,
    Outcome,
    SettingEstimate,
    StudyRecords,
)
from toolkit.specs import BASE, AnyFormat

Setting = tuple[str, str]  # prompt mode, decoding
Tables = dict[str, dict[int, dict[Setting, Rows]]]  # method -> seed -> setting -> metric -> statistics


@dataclass
class Found:
    """What the generations of a study say."""

    settings: list[SettingEstimate] = field(default_factory=list)
    decoding: list[DecodingEffect] = field(default_factory=list)
    failures: list[FailureCount] = field(default_factory=list)
    failing: list[FailedGeneration] = field(default_factory=list)


def of_generations(study: StudySpec, records: StudyRecords) -> Found:
    """Summarise the generations of every evaluated run, in the order of the records' cells."""
    spec = study.evaluate
    settings = [(mode, decoding.name) for mode in spec.prompts for decoding in spec.decodings]
    forms = {dataset.name: dataset.format for dataset in study.dataset}
    found = Found()
    conditions: dict[Condition, Tables] = {}
    clusters: dict[Condition, list[str] | None] = {}
    for cell in records.evaluated:
        outcomes = [outcome for outcome in records.outcomes(cell) if not outcome.general]
        form = forms[cell.dataset]
        if cell.condition not in conditions:
            conditions[cell.condition] = {}
            found.failures += _of_references(cell.condition, outcomes, form, spec.prompts)
        _classify(cell, outcomes, form, found)
        if len(settings) > 1:
            documents = [row for row in records.statistics(cell) if not row.general]
            clusters[cell.condition] = clusters_of(documents)
            rows = {setting: _rows(documents, setting) for setting in settings}
            conditions[cell.condition].setdefault(cell.method, {})[cell.seed] = rows
    for condition, tables in conditions.items():
        if len(settings) > 1:
            found.settings += _estimates(condition, tables, settings, clusters[condition])
        if len(spec.decodings) > 1:
            names = tuple(decoding.name for decoding in spec.decodings)
            trained = {
                name: rows
                for name, rows in tables.items()
                if name != BASE and not study.methods[name].method.convert
            }
            found.decoding += _effects(condition, trained, spec.prompts, names, clusters[condition])
    return found


def _classify(cell: Cell, outcomes: Sequence[Outcome], form: AnyFormat, found: Found) -> None:
    place = {**cell.condition._asdict(), "method": cell.method, "seed": cell.seed}
    classes: dict[Setting, list[dict[str, str]]] = {}
    for outcome in outcomes:
        for text in outcome.generations:
            wrong = failures(text, form)
            setting = (text.prompt_mode, text.decoding)
            classes.setdefault(setting, []).append(wrong)
            if wrong:
                found.failing.append(
                    FailedGeneration(
                        **place,
                        run_id=cell.run_id,
                        document_id=outcome.document_id,
                        title=outcome.title,
                        prompt_mode=text.prompt_mode,
                        decoding=text.decoding,
                        classes=wrong,
                    )
                )
    for (mode, decoding), texts in classes.items():
        found.failures.append(FailureCount(**place, prompt_mode=mode, decoding=decoding, **_counted(texts)))


def _of_references(
    condition: Condition, outcomes: Sequence[Outcome], form: AnyFormat, modes: Sequence[str]
) -> Iterator[FailureCount]:
    for mode in modes:
        texts: list[Generation] = []
        for outcome in references(outcomes, Context(form=form, prompt_mode=mode)):
            texts += outcome.generations
        counted = _counted([failures(text, form) for text in texts])
        yield FailureCount(
            **condition._asdict(), method="references", seed=0, prompt_mode=mode, decoding=None, **counted
        )


def _counted(texts: Sequence[dict[str, str]]) -> dict[str, int | dict[str, int]]:
    return {
        "generations": len(texts),
        "failing": sum(map(bool, texts)),
        "classes": {name: sum(name in wrong for wrong in texts) for name in CLASSES},
    }


def _of_texts() -> dict[str, Metric]:
    return {name: metric for name, metric in all_metrics().items() if metric.of_generations}


def _rows(documents: Sequence[DocumentStatistics], setting: Setting) -> Rows:
    """Metric -> statistics of each document at a setting."""
    here = [document.at(*setting) for document in documents]
    return {name: [row.get(name) for row in here] for name in _of_texts()}


def _estimates(
    condition: Condition, tables: Tables, settings: Sequence[Setting], clusters: Sequence[str] | None
) -> Iterator[SettingEstimate]:
    for mode, decoding in settings:
        for method, seeds in tables.items():
            for name, metric in _of_texts().items():
                if unmeasured(metric, [of_seed[mode, decoding][name] for of_seed in seeds.values()]):
                    continue
                table = _stacked(seeds, (mode, decoding), name)
                value = compare.estimate(metric, table, clusters=clusters)
                yield SettingEstimate(
                    **condition._asdict(),
                    prompt_mode=mode,
                    decoding=decoding,
                    method=method,
                    metric=name,
                    value=value.value,
                    low=value.low,
                    high=value.high,
                    seeds=len(seeds),
                    documents=count(table, clusters),
                    speaks_about=value.speaks_about,
                    unit=metric.unit,
                    label=metric.label,
                )


def _stacked(seeds: dict[int, dict[Setting, Rows]], setting: Setting, metric: str) -> Floats:
    return compare.stack([seeds[seed][setting][metric] for seed in sorted(seeds)])


def _effects(
    condition: Condition,
    tables: Tables,
    modes: Sequence[str],
    decodings: tuple[str, ...],
    clusters: Sequence[str] | None,
) -> Iterator[DecodingEffect]:
    """Of the trained methods: an untouched base, or a floor, lies so far off that it would drown them."""
    methods = tuple(tables)
    for mode in modes if methods else ():
        for name, metric in _of_texts().items():
            rows = [
                of_seed[mode, decoding][name]
                for method in methods
                for of_seed in tables[method].values()
                for decoding in decodings
            ]
            if unmeasured(metric, rows):
                continue
            sides = [
                _stacked(tables[method], (mode, decoding), name)
                for method in methods
                for decoding in decodings
            ]
            whole, _ = complete(metric, *sides, clusters=clusters)
            width = len(decodings)
            grid = [list(whole[start : start + width]) for start in range(0, len(whole), width)]
            over_decodings, over_methods, parts = _split(metric, grid)
            yield DecodingEffect(
                **condition._asdict(),
                prompt_mode=mode,
                metric=name,
                unit=metric.unit,
                label=metric.label,
                methods=methods,
                decodings=decodings,
                seeds=min(len(tables[method]) for method in methods),
                documents=whole[0].shape[1],
                over_decodings=over_decodings,
                over_methods=over_methods,
                share_decodings=parts.columns if parts else None,
                share_methods=parts.rows if parts else None,
                share_both=parts.both if parts else None,
                share_noise=parts.noise if parts else None,
            )


def _split(metric: Metric, grid: list[list[Floats]]) -> tuple[float | None, float | None, Shares | None]:
    """Mean ranges over columns and over rows, and the shares, of statistics ``[rows][columns]``."""
    if grid[0][0].shape[1] < 2:  # documents; a metric that is defined on none has no width either
        return None, None, None
    values = np.array([[metric.aggregate(cell.sum(axis=1)).mean() for cell in row] for row in grid])
    if not np.isfinite(values).all():
        return None, None, None
    over_columns = float(np.ptp(values, axis=1).mean())
    if len(grid) < 2:
        return over_columns, None, None
    if metric.of_set:  # its error is not known, and so neither is the share of chance
        return over_columns, float(np.ptp(values, axis=0).mean()), None
    covariance = error_covariance(metric, grid)
    parts = shares(values, covariance) if np.isfinite(covariance).all() else None
    return over_columns, float(np.ptp(values, axis=0).mean()), parts
