"""The stopping rule of `bakeoff run --until decided`, replayed on simulated and on finished studies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eval.statistics.verdicts import with_holm
from experiments.analysis.comparisons import comparisons
from experiments.analysis.conclude import read
from experiments.analysis.detectable import bases_from
from experiments.analysis.statistics import Statistics, statistics_of
from experiments.bench.calibration.draws import DOCUMENT, REST, SEED
from experiments.design import study as studies
from experiments.design.planning.looks import SEEDS, Size, grown, looks_at, sizes
from experiments.design.study import StudySpec
from experiments.running.until import LookState, after_look
from toolkit.errors import UserError
from toolkit.records import Comparison, Condition, Finding, Look, StudyRecords
from toolkit.records.folders import Root
from toolkit.runtime import machine

METHODS = ("lora-r16", "lora-r4", "dora", "ia3")
VALUE = 0.8
"""The baseline's bits per byte."""
BYTES = 100.0
"""Of every simulated document."""


class Replay(NamedTuple):
    """Where the rule stops."""

    taken: int
    """Looks, of those planned."""
    state: LookState
    comparisons: tuple[Comparison, ...]
    """The primary ones at the last look taken."""


def replay(
    study: StudySpec, statistics: Statistics, planned: Sequence[Look], findings: Sequence[Finding] = ()
) -> Replay:
    """Apply the stopping rule to statistics of the largest size, of which each look sees a part.

    ``study``: at its largest size; a look of S seeds and N documents sees the first S of its seeds and the
    first N documents. ``findings``: of the audit, which refuses comparisons.
    """
    metrics = study.headline_metrics()
    for taken, look in enumerate(planned, start=1):
        size = Size(look.seeds, look.documents)
        at = grown(study.model_copy(update={"seeds": study.seeds[: look.seeds]}), size)
        cut = look.documents if look.documents < planned[-1].documents else None
        seen = _part(statistics, at.seeds, cut)
        compared = with_holm(comparisons(at, seen, metrics, findings, level=look.level, predict=False))
        step = after_look(study, compared, bases_from(at, seen), planned, taken)
        if step.state != "continue":
            break
    return Replay(taken, step.state, tuple(one for one in compared if one.family == "primary"))


def _part(statistics: Statistics, seeds: Sequence[int], documents: int | None) -> Statistics:
    """Return the statistics of these seeds and of the first documents; a side of one seed stays whole."""
    part = Statistics()
    for side, by_seed in statistics.items():
        part[side] = {
            seed: {name: values[:documents] for name, values in rows.items()}
            for seed, rows in by_seed.items()
            if seed in seeds or len(by_seed) == 1
        }
    part.unseeded, part.converted = statistics.unseeded, statistics.converted
    part.clusters = {key: labels[:documents] for key, labels in statistics.clusters.items()}
    return part


def bench(name: str, root: Path) -> dict[str, Any]:
    """Replay the rule on a finished study: how many runs it would have saved, and whether verdicts agree.

    Looks are those of `--until decided` up to the study's seeds, at all of its test documents. The verdicts
    at the look at which it stops are compared with those of all seeds without looking. UserError if the study
    is not concluded or has too few seeds for a second look.
    """
    conclusions = read(root, name)
    study = studies.load(str(Root(root).results(name).study))
    documents = study.data.test + study.data.further_test
    counts = [size.seeds for size in sizes(SEEDS[0], documents) if size.seeds < len(study.seeds)]
    if not counts:
        raise UserError(
            f"'{name}' has {len(study.seeds)} seeds, and the first look is at {SEEDS[0]}: a study of more "
            f"seeds is needed, e.g. bakeoff run {name} seeds={list(range(5))}"
        )
    planned = looks_at([Size(count, documents) for count in (*dict.fromkeys(counts), len(study.seeds))])
    records = StudyRecords.read(conclusions.cells, Root(root))
    statistics = statistics_of(records)
    done = replay(study, statistics, planned, conclusions.audit)
    metrics = study.headline_metrics()
    whole = with_holm(comparisons(study, statistics, metrics, conclusions.audit, predict=False))
    used = study.seeds[: planned[done.taken - 1].seeds]
    of_seed = {cell.run_id: cell.seed in used for cell in conclusions.cells if cell.phase == "confirm"}
    seconds = {run: records.runs[run].costs.train_seconds or 0.0 for run in of_seed if run in records.runs}
    return {
        "name": "until",
        "ratio": round(len(of_seed) / sum(of_seed.values()), 2),
        "baseline": len(of_seed),
        "ours": sum(of_seed.values()),
        "unit": "runs that are compared: all of the study's, and those until the rule stops",
        "study": name,
        "looks": [look.seeds for look in planned],
        "seeds_used": len(used),
        "state": done.state,
        "training_seconds_saved": round(sum(t for run, t in seconds.items() if not of_seed[run]), 1),
        **_agreement(done.comparisons, whole),
        "machine": machine(),
    }


def _agreement(stopped: Sequence[Comparison], whole: Sequence[Comparison]) -> dict[str, Any]:
    """Count primary comparisons by whether their verdict at the stop is that of the whole study."""
    at_end = {(one.condition, one.method, one.metric): one for one in whole if one.family == "primary"}
    pairs = [(one, at_end[one.condition, one.method, one.metric].verdict) for one in stopped]
    other = [(one, end) for one, end in pairs if one.verdict != end]
    return {
        "comparisons": len(pairs),
        "same_verdict": len(pairs) - len(other),
        "undecided_at_one_of_them": sum("undecided" in (one.verdict, end) for one, end in other),
        "differences": [
            f"{one.method} against {one.baseline} on {one.metric}: {one.verdict}, with all seeds {end}"
            for one, end in other
        ],
    }


class Growing(NamedTuple):
    """How studies come out that are run until decided."""

    wrong: float
    """Share of studies with any false verdict: better or worse without a difference or in the wrong
    direction, equivalent with a difference of the margin or more."""
    covered: float
    """Share of comparisons whose interval at the last look holds the truth."""
    decided: float
    """Share of studies that stopped because they were decided."""
    futile: float
    """Share that stopped because a decision was unlikely."""
    runs: float
    """Mean share of the runs of the largest size that were run."""


def growing(
    methods: int,
    planned_sizes: Sequence[Size],
    difference: float,
    margin: float,
    repetitions: int,
    seed: int = 7,
) -> Growing:
    """Simulate studies of methods that all differ from their baseline alike, each run until decided.

    ``difference`` and ``margin`` are in standard errors of a comparison at the largest size. Seeds,
    documents and the rest have the deviations of `draws.noise`, in a unit that makes the margin 1 % of the
    baseline.
    """
    most = planned_sizes[-1]
    cells = most.seeds * most.documents
    error = np.sqrt(SEED**2 / most.seeds + DOCUMENT**2 / most.documents + REST**2 / cells)
    unit = 0.01 * VALUE / (margin * error)
    truth = difference * error * unit
    study = _study(methods, planned_sizes)
    planned = looks_at(planned_sizes)
    draw = np.random.default_rng([seed, methods, most.seeds, most.documents, int(10 * difference)])
    wrong, covered, decided, futile, used = 0, [], 0, 0, 0.0
    for _ in range(repetitions):
        done = replay(study, _drawn(draw, study, most, unit, truth), planned)
        wrong += any(_false(one, truth) for one in done.comparisons)
        covered += [(one.low or 0.0) <= truth <= (one.high or 0.0) for one in done.comparisons]
        decided += done.state == "decided"
        futile += done.state == "futile"
        used += planned[done.taken - 1].seeds / most.seeds
    total = repetitions
    return Growing(wrong / total, float(np.mean(covered)), decided / total, futile / total, used / total)


def _false(one: Comparison, truth: float) -> bool:
    if one.verdict == "equivalent":
        return one.margin is not None and abs(truth) >= 0.999 * one.margin
    return one.verdict in ("better", "worse") and (truth == 0 or (one.verdict == "better") != (truth < 0))


def _study(methods: int, planned_sizes: Sequence[Size]) -> StudySpec:
    """Return the quickstart with these many methods, on bits per byte, at the largest size."""
    rates = ", ".join(f"{name}: 1e-4" for name in METHODS[:methods])
    first = [f"methods={{full: 1e-4, {rates}}}", "baseline=full", "metrics=[bits_per_byte]"]
    seeds, documents = planned_sizes[0]
    small = studies.load("quickstart", [*first, f"seeds={list(range(seeds))}", f"data.test={documents}"])
    return grown(small, planned_sizes[-1])


def _drawn(draw: np.random.Generator, study: StudySpec, size: Size, unit: float, truth: float) -> Statistics:
    """Draw every method's nats and bytes; all but the first, the baseline, differ by the truth."""
    condition = Condition(study.base_models[0].name, study.dataset[0].name, study.data.train[0], 1.0)
    shape = (len(study.methods), size.seeds, size.documents)
    values = (
        SEED * draw.normal(size=(*shape[:2], 1))
        + DOCUMENT * draw.normal(size=(shape[0], 1, shape[2]))
        + REST * draw.normal(size=shape)
    ) / np.sqrt(2)
    statistics = Statistics()
    for place, name in enumerate(study.methods):
        nats = BYTES * np.log(2) * (VALUE + unit * values[place] + (truth if place else 0.0))
        statistics[condition, name] = {
            seed: {"bits_per_byte": [(value, BYTES) for value in row]}
            for seed, row in zip(study.seeds, nats.tolist(), strict=True)
        }
    return statistics
