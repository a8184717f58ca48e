"""Compare results that other tools wrote against a baseline, by the statistics of our own studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from eval.foreign import unpaired
from eval.foreign.alignment import Side, align, only_shared
from eval.foreign.directions import DISAGREE, Key, agreed, explained, with_direction
from eval.foreign.measures import metric_of
from eval.foreign.sources.scores import ItemScores, by_task_and_metric, require_one_model
from eval.statistics import compare as statistics
from eval.statistics.verdicts import (
    refusal,
    require_margin,
    require_margin_within,
    speaks_about,
    with_holm,
)
from toolkit.errors import UserError, unknown_name
from toolkit.records import Comparison, Estimate, Finding


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What several results say of each other."""

    baseline: str
    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    """Every other side against the baseline, on every task and metric that both have; Holm-corrected."""
    audit: tuple[Finding, ...]
    unmatched: tuple[str, ...]
    """Tasks and metrics that not all sides have, in words: they are left out."""


def judge(
    results: Mapping[str, Sequence[ItemScores]],
    baseline: str,
    *,
    metrics: Sequence[str] = (),
    margin: float | None = None,
    shared_items: bool = False,
    direction: Literal["lower", "higher"] | None = None,
) -> Judgement:
    """Compare every side of ``results`` (name -> runs of any tasks and metrics) with the baseline.

    ``metrics`` keeps those metrics; all by default. ``margin`` is the equivalence margin, in their unit.
    ``direction`` is which way is better for all of them; by name or file if None, and undecided if unknown.
    Raises UserError if fewer than two sides share a task and metric, or if a side holds several models with
    equal or unknown seeds.
    """
    if len(results) < 2:
        raise UserError("judge: give at least two results to compare")
    require_margin(margin)
    if baseline not in results:
        raise unknown_name("baseline", baseline, results)
    sides = {name: _by_key(name, runs) for name, runs in results.items()}
    every = list(dict.fromkeys(key for keys in sides.values() for key in keys))
    for name in metrics:
        if name not in {metric for _, metric in every}:
            raise unknown_name("metric", name, {metric for _, metric in every})
    keys = [key for key in every if not metrics or key[1] in metrics]
    shared = [key for key in keys if all(key in side for side in sides.values())]
    if not shared:
        raise UserError(
            f"judge: no task and metric is in every result. Found: {_listed(sides)}. "
            "Give results of one task; lm-evaluation-harness names it in the file, `samples_TASK.jsonl`"
        )
    if direction is not None:
        sides = with_direction(sides, shared, direction)
    comparisons: list[Comparison] = []
    audit: list[Finding] = []
    estimates: list[Estimate] = []
    tests = len(shared) * (len(sides) - 1)
    for key in shared:
        here = {name: side[key] for name, side in sides.items()}
        if shared_items:
            here, findings = only_shared(here)
            audit += findings
        estimates += map(_estimate, here.values())
        for name, side in here.items():
            if name != baseline:
                one, findings = _compare(side, here[baseline], margin, tests)
                comparisons.append(one)
                audit += findings
    return Judgement(
        baseline=baseline,
        estimates=tuple(estimates),
        comparisons=tuple(map(explained, with_holm(comparisons))),
        audit=tuple(dict.fromkeys(audit)),
        unmatched=tuple(f"{metric} of {task}" for task, metric in keys if (task, metric) not in shared),
    )


def _by_key(name: str, runs: Sequence[ItemScores]) -> dict[Key, Side]:
    grouped = by_task_and_metric(runs)
    for found in grouped.values():
        require_one_model(name, found)
    return {key: Side(name=name, runs=tuple(found)) for key, found in grouped.items()}


def _listed(sides: Mapping[str, Mapping[Key, Side]]) -> str:
    """What each side has, in a few words."""
    return "; ".join(
        f"{name}: {', '.join(sorted(f'{metric} of {task}' for task, metric in keys))[:200]}"
        for name, keys in sides.items()
    )


def _condition(run: ItemScores) -> dict[str, str]:
    return {"base_model": run.tool, "dataset": run.task}


def _estimate(side: Side) -> Estimate:
    first = side.runs[0]
    shared = {
        **_condition(first),
        "method": side.name,
        "metric": first.metric,
        "seeds": len(side.runs),
        "documents": len(first.items),
        "unit": metric_of(first).unit,
        "label": first.metric,
    }
    if first.formula == "value":
        values = [float(run.statistics[0, 0]) for run in side.runs]
        mean = sum(values) / len(values)
        return Estimate.model_validate(
            {**shared, "value": mean, "low": None, "high": None, "speaks_about": "checkpoints"}
        )
    own, _ = only_shared({side.name: side})
    table = align(own[side.name], own[side.name]).ours
    interval = statistics.estimate(metric_of(_least_special(side.runs)), table)
    return Estimate.model_validate({**shared, "documents": table.shape[1], **interval._asdict()})


def _compare(
    ours: Side, theirs: Side, margin: float | None, tests: int
) -> tuple[Comparison, tuple[Finding, ...]]:
    run, direction = ours.runs[0], agreed(ours, theirs)
    shared = {
        **_condition(run),
        "method": ours.name,
        "baseline": theirs.name,
        "metric": run.metric,
        "direction": direction or "neither",
        "unit": metric_of(run).unit,
        "label": run.metric,
        "margin": margin,
    }
    if direction is None:
        return refusal(shared, DISAGREE), ()
    formulas = {r.formula for side in (ours, theirs) for r in side.runs}
    if formulas == {"mean", "mean of 0 and 1"}:  # see `_least_special`
        formulas = {"mean"}
    if len(formulas) > 1:
        return refusal(shared, f"{run.metric} is computed in different ways"), ()
    if "value" in formulas:
        return _unpaired(shared, ours, theirs)
    aligned = align(ours, theirs)
    if aligned.refused:
        return refusal(shared, aligned.refused), aligned.findings
    if len(ours.runs) != len(theirs.runs) and 1 not in (len(ours.runs), len(theirs.runs)):
        return refusal(shared, f"{len(ours.runs)} runs against {len(theirs.runs)}: give as many"), ()
    item = metric_of(_least_special((*ours.runs, *theirs.runs)), margin)
    require_margin_within(item, margin)
    result = statistics.compare(
        item,
        aligned.ours,
        aligned.theirs,
        margin=margin,
        margin_kind="absolute",
        tests=tests,
    )
    if result.unseeded is not None:  # its training is not in the interval, however many runs the other has
        result = replace(result, speaks_about="checkpoints")
    return result.as_record(shared), aligned.findings


def _least_special(runs: Sequence[ItemScores]) -> ItemScores:
    """The run whose metric suits all: the scores of a single seed may happen to be all 0 or 1."""
    return next((run for run in runs if run.formula != "mean of 0 and 1"), runs[0])


def _unpaired(
    shared: Mapping[str, object], ours: Side, theirs: Side
) -> tuple[Comparison, tuple[Finding, ...]]:
    """One number per run: seeds against seeds if both have two, shares of known size otherwise."""
    names = (ours.name, theirs.name)
    notes = dict.fromkeys(note for side in (ours, theirs) for run in side.runs for note in run.notes)
    findings = tuple(
        Finding.model_validate({"check": "origin", "status": "flagged", "text": note, "methods": names})
        for note in notes
    )
    values = [[float(run.statistics[0, 0]) for run in side.runs] for side in (ours, theirs)]
    trials = [side.runs[0].trials for side in (ours, theirs)]
    if min(map(len, values)) >= 2:
        result, seeds, documents = unpaired.welch(*values), min(map(len, values)), 0
    elif len(values[0]) == len(values[1]) == 1 and trials[0] and trials[1]:
        result, seeds = unpaired.shares(values[0][0], trials[0], values[1][0], trials[1]), 1
        documents = min(trials[0], trials[1])
    else:
        return refusal(
            shared, "one number per side has no interval: give several seeds, or scores by item"
        ), findings
    comparison = Comparison.model_validate(
        {
            **shared,
            **result._asdict(),
            "p_holm": None,
            "verdict": "undecided",  # until `with_holm` judges it with the others
            "speaks_about": speaks_about(seeds),
            "seeds": seeds,
            "documents": documents,
            "reason": "unpaired"
            + ("; no seed differs: no error can be estimated" if result.p is None else ""),
        }
    )
    return comparison, findings
