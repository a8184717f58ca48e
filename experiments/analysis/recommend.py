"""Which method to use: the cheapest one that is as good as the best, from a study's own comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Literal

from eval.audit import comparable, had_its_cores
from toolkit.errors import UserError
from toolkit.records import (
    Candidate,
    Cell,
    Comparison,
    Condition,
    CostKind,
    Estimate,
    Recommendation,
    RunRecord,
    clearly_less,
)

Compared = Callable[[str, str, str], Comparison | None]
"""Method, the other one, metric -> their comparison; None if the study lacks one of them."""


def recommend(
    condition: Condition,
    cells: Sequence[Cell],
    runs: Mapping[str, RunRecord],
    estimates: Sequence[Estimate],
    metrics: Mapping[str, Literal["lower", "higher"]],
    compared: Compared,
    baseline: str | None = None,
) -> Recommendation | None:
    """Recommend a method under one condition, by memory; None with fewer than two evaluated methods.

    A method that lost a seed is compared with none: what is left of it may be the lucky part.

    ``metrics`` are the headline metrics that have a direction, the primary one first. A method is as good as
    the best if its whole interval on the primary metric is within the margin, and it is not worse than the
    best on another headline metric, but for what is within the margin there. The best is the one with the
    best value, so the others are compared with a value that may be best by luck, which is to their
    disadvantage. Costs are those of a device where the ``baseline`` ran, if it is given.
    """
    primary, *others = metrics
    values = {
        estimate.method: estimate
        for estimate in estimates
        if estimate.condition == condition and estimate.metric == primary and estimate.value is not None
    }
    confirmed = [cell for cell in cells if cell.condition == condition and cell.phase == "confirm"]
    methods = [name for name in dict.fromkeys(cell.method for cell in confirmed) if name in values]
    lost = {cell.method for cell in confirmed if cell.status != "finished" or cell.eval_digest is None}
    whole = [name for name in methods if name not in lost]
    if len(methods) < 2 or not whole:
        return None
    sign = 1 if metrics[primary] == "lower" else -1
    best = min(whole, key=lambda name: sign * (values[name].value or 0.0))
    costs = _costs([cell for cell in confirmed if cell.method in methods], runs, baseline)
    candidates = [_candidate(name, best, primary, others, costs[name], compared) for name in methods]
    return choose(
        Recommendation(
            **condition._asdict(),
            metric=primary,
            label=values[best].label,
            unit=values[best].unit,
            by="memory",
            best=best,
            method=best,
            status="best",
            candidates=tuple(candidates),
        ),
        "memory",
    )


def choose(recommendation: Recommendation, by: CostKind, budget: float | None = None) -> Recommendation:
    """Choose again from the same candidates, by another cost or within a budget in bytes or seconds.

    A method whose cost is unknown is taken to be over a budget; it is never called cheaper, and nothing is
    called cheaper than it. Cheaper is what costs clearly less (`clearly_less`).
    """
    if budget is not None and not 0 < budget < math.inf:
        raise UserError("recommend: --budget is a finite number above 0; leave it out for none")
    costs = {candidate.method: candidate.cost(by) for candidate in recommendation.candidates}

    def affordable(method: str) -> bool:
        cost = costs[method]
        return budget is None or (cost is not None and cost <= budget)

    def price(method: str) -> float:
        cost = costs[method]
        return float("inf") if cost is None else cost

    best = recommendation.best
    within = {c.method: c for c in recommendation.candidates if affordable(c.method)}
    as_good = [
        name
        for name, candidate in within.items()
        if candidate.relation == "best"
        or (candidate.relation in ("within_margin", "better") and not candidate.worse_on)
    ]
    method: str | None
    status: Literal["equivalent", "best", "over_budget", "none"]
    if as_good:
        method = min(as_good, key=lambda name: (price(name), name != best))
        if best in as_good and (costs[best] is None or not clearly_less(price(method), price(best))):
            method = best
        status = "best" if method == best else "equivalent"
    elif within:
        method, status = min(within, key=lambda name: _distance(within[name])), "over_budget"
    else:
        method, status = None, "none"
    undecided = [
        name
        for name, candidate in within.items()
        if candidate.relation == "undecided"
        and method is not None
        and name != method
        and costs[method] is not None
        and clearly_less(price(name), price(method))
    ]
    return recommendation.model_copy(
        update={
            "by": by,
            "budget": budget,
            "method": method,
            "status": status,
            "undecided": tuple(undecided),
        }
    )


def _distance(candidate: Candidate) -> float:
    """How far a method is from the best one; infinite if they could not be compared."""
    if candidate.relation == "best":
        return 0.0
    return float("inf") if candidate.difference is None else abs(candidate.difference)


def _candidate(
    method: str,
    best: str,
    primary: str,
    others: Sequence[str],
    costs: Mapping[str, float | None],
    compared: Compared,
) -> Candidate:
    if method == best:
        return Candidate(method=method, relation="best", **costs)
    comparison = compared(method, best, primary)
    if comparison is None:
        return Candidate(method=method, relation="refused", **costs)
    worse_on = [
        metric
        for metric in others
        if (other := compared(method, best, metric)) is not None
        and other.verdict == "worse"
        and not other.within_margin
    ]
    verdict = comparison.verdict
    return Candidate(
        method=method,
        relation="within_margin" if comparison.within_margin or verdict == "equivalent" else verdict,
        difference=comparison.difference,
        low=comparison.low,
        high=comparison.high,
        margin=comparison.margin,
        needed_documents=comparison.needed_documents,
        needed_seeds=comparison.needed_seeds,
        worse_on=tuple(worse_on),
        **costs,
    )


def _costs(
    cells: Sequence[Cell], runs: Mapping[str, RunRecord], baseline: str | None
) -> dict[str, dict[str, float | None]]:
    """Return each method's mean costs over the seeds that finished.

    Memory and time are those of the runs on one device (`comparable`), None for a method without one there.
    Time is None for all if one of these runs shared its cores with other work.
    """
    there = {cell.run_id: runs[cell.run_id] for cell in cells if cell.run_id in runs}
    finished = {run_id: record for run_id, record in there.items() if record.status == "finished"}
    here = comparable(cells, runs, baseline)
    alone = all(had_its_cores(record) is not False for record in here.values())
    costs: dict[str, dict[str, float | None]] = {}
    for method in dict.fromkeys(cell.method for cell in cells):
        of_method = dict.fromkeys(cell.run_id for cell in cells if cell.method == method)
        saved = [finished[run].costs.artifact_bytes for run in of_method if run in finished]
        own = [here[run].costs for run in of_method if run in here]
        memory = [cost.cuda_allocated_bytes or cost.peak_memory_bytes for cost in own]
        costs[method] = {
            "memory_bytes": _mean(memory),
            "train_seconds": _mean([cost.train_seconds for cost in own]) if alone else None,
            "saved_bytes": _mean(saved),
        }
    return costs


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
