"""Evidence for published findings, and recommendations, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from figures.wording.names import (
    amount,
    condition_label,
    count,
    decimals,
    difference_text,
    interval_text,
    joined,
    method_label,
    metric_label,
)
from toolkit.records import (
    Claim,
    ComparisonEvidence,
    Condition,
    LookPlan,
    RatioEvidence,
    Recommendation,
    clearly_less,
)

RATIOS = {
    "optimum": "best learning rate",
    "peak_memory_bytes": "peak memory",
    "seconds_per_token": "time per token",
}
COSTS = {"memory": "memory", "time": "training time", "size": "saved size"}


def evidence_text(claim: Claim) -> str:
    """Return the numbers that a finding was judged by, or what is missing to judge it."""
    texts = [*map(_comparison, claim.comparisons), *map(_ratio, claim.ratios)]
    return "; ".join(texts)


def _comparison(evidence: ComparisonEvidence) -> str:
    metric = metric_label(evidence.metric, evidence.label)
    label = f"{evidence.method} against {evidence.against}, {metric}"
    if evidence.verdict is None:
        return f"{label}: {evidence.reason or 'not in this study'}"
    if evidence.verdict == "refused":
        return f"{label}: refused ({evidence.reason})"
    unit = evidence.unit or ""
    places = decimals(unit, evidence.low, evidence.high)
    size = difference_text(evidence.difference, unit, places)
    interval = interval_text(evidence.low, evidence.high, unit, places)
    weak = f", which judges nothing: {evidence.reason}" if evidence.reason else ""
    margin = ""
    if evidence.verdict == "equivalent" and evidence.margin is not None:
        margin = f" (margin {difference_text(evidence.margin, unit, places).removeprefix('+')})"
    return f"{label}: {size} ({interval}), {evidence.verdict}{margin}{weak}"


def _ratio(evidence: RatioEvidence) -> str:
    label = f"{RATIOS[evidence.what]} of {evidence.method} over that of {evidence.against}"
    expected = f"below {evidence.expected_high:.3g}"
    if evidence.expected_low:
        expected = f"{evidence.expected_low:.3g} to {evidence.expected_high:.3g}"
    if evidence.value is None:
        return f"{label}: not known from this study (expected {expected})"
    if evidence.low is None or evidence.high is None:
        why = "from one seed, no interval" if evidence.seeds == 1 else "no interval"
        if evidence.without:
            every = (evidence.seeds or 0) + evidence.without
            why = f"from the {evidence.seeds} of {every} tuning seeds with an optimum of both, so no interval"
        return f"{label}: {evidence.value:.3g} {why} (expected {expected})"
    return f"{label}: {evidence.value:.3g} ({evidence.low:.3g} to {evidence.high:.3g}; expected {expected})"


def looks_text(plan: LookPlan) -> str:
    """Return how often a growing study was looked at, why it stopped, and what its intervals mean."""
    now = plan.now
    before = (
        " The study had been concluded, and so looked at, before these looks were planned: the 95 % "
        "does not account for that look."
        if plan.concluded_before
        else ""
    )
    stopped = {
        "decided": "No primary comparison is undecided.",
        "refused": "No primary comparison is undecided, but the audit refused one: it gives the reason, and "
        "no more was added.",
        "missing": "There is no primary comparison: nothing is decided, and no more was added.",
        "futile": "Undecided comparisons are unlikely to be decided at the largest size; no more was added.",
        "exhausted": "This is the largest size that was planned, whatever is undecided.",
        "continue": "It stopped for its budget; the same command continues it.",
        None: "The look was not finished.",
    }
    return (
        f"Look {plan.taken} of {len(plan.planned)} planned, at {count(now.seeds, 'seed')} and "
        f"{count(now.documents, 'test document')}: differences are judged at the level {now.level:.2g}, with "
        f"intervals at the matching confidence, so all looks together keep 95 %. "
        f"{stopped[plan.state]}{before}"
    )


def recommendation_text(
    recommendation: Recommendation,
    among: list[Condition],
    untuned: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
) -> str:
    """Return a recommendation as a few sentences: the method, the reason, and what would change it.

    ``among``: the study's conditions; with several, the text begins with its own. ``untuned``: methods whose
    learning rate was not searched for; if one of them is recommended, it is called untuned. ``labels``:
    metric -> its label; a metric without one has its name in words.
    """
    sentences = [_chosen(recommendation, untuned, labels or {})]
    if recommendation.undecided:
        names = joined(list(recommendation.undecided))
        they = "it is" if len(recommendation.undecided) == 1 else "they are"
        cheaper = f"Undecided: {names} would be cheaper, and this study can't tell whether {they} as good."
        sentences += [cheaper, _what_decides(recommendation)]
    sentences += _cheaper_but_worse(recommendation, labels or {})
    if recommendation.status == "equivalent" and not recommendation.undecided:
        sentences.append("A smaller margin, another metric or another task may change this.")
    where = condition_label(recommendation.condition, among) if len(among) > 1 else ""
    return (f"{where}: " if where else "") + " ".join(sentence for sentence in sentences if sentence)


def _chosen(recommendation: Recommendation, untuned: Collection[str], labels: Mapping[str, str]) -> str:
    best, by = recommendation.best, COSTS[recommendation.by]
    metric = metric_label(recommendation.metric, recommendation.label)
    by_name = {candidate.method: candidate for candidate in recommendation.candidates}
    if recommendation.method is None:
        if all(candidate.cost(recommendation.by) is None for candidate in recommendation.candidates):
            return f"No method is known to be within the budget: the {by} of none is known."
        return f"No method is within the budget of {cost_text(recommendation.budget, recommendation.by)}."
    chosen = by_name[recommendation.method]
    name = method_label(chosen.method, tuned=chosen.method not in untuned)
    costs = f"{by} {cost_text(chosen.cost(recommendation.by), recommendation.by)}"
    if recommendation.status == "best":
        return f"Use {name}: {_why_best(recommendation, metric)} ({costs})."
    over = "is over the budget"
    if by_name[best].cost(recommendation.by) is None:
        over = f"may be over the budget: its {by} is not known"
    others = f"{cost_text(by_name[best].cost(recommendation.by), recommendation.by)} for {best}"
    unit = recommendation.unit or ""
    places = decimals(unit, chosen.low, chosen.high)
    interval = interval_text(chosen.low, chosen.high, unit, places)
    size = difference_text(chosen.difference, unit, places)
    if recommendation.status == "over_budget" and chosen.relation == "refused":
        return (
            f"Within the budget, use {name} ({costs}): it could not be compared with {best}, for the reason "
            f"in the audit, and that {over}."
        )
    if recommendation.status == "over_budget" and chosen.relation in ("within_margin", "better"):
        worse = joined([metric_label(one, labels.get(one)) for one in chosen.worse_on])
        return (
            f"Within the budget, use {name} ({costs}): its {metric} is within the margin of {best}'s "
            f"({size}, {interval}), but it is worse on {worse}, and {best} {over}."
        )
    if recommendation.status == "over_budget":
        known = "is worse than" if chosen.relation == "worse" else "is not known to be as good as"
        return (
            f"Within the budget, use {name} ({costs}): it {known} {best} "
            f"({metric} {size}, {interval}), which {over}."
        )
    return (
        f"Use {name}: its {metric} is within the margin of the best, {best}, "
        f"({size}, {interval}), and its {costs}, against {others}."
    )


def _why_best(recommendation: Recommendation, metric: str) -> str:
    """Word why the method with the best value is recommended, and which others may be as good."""
    gaps = [candidate.difference or 0.0 for candidate in recommendation.candidates]
    extreme = "lowest" if max(gaps) > 0 else "highest" if min(gaps) < 0 else "best"
    relations = {"undecided": "undecided against", "refused": "not compared with"}
    limits = [
        f"{words} {joined([one.method for one in recommendation.candidates if one.relation == relation])}"
        for relation, words in relations.items()
        if any(one.relation == relation for one in recommendation.candidates)
    ]
    known = f" ({'; '.join(limits)})" if limits else ""
    if any(one.relation == "refused" for one in recommendation.candidates):
        extreme += " of those that can be compared"
    costs = {one.method: one.cost(recommendation.by) for one in recommendation.candidates}
    own = costs[recommendation.best]
    if own is None:
        as_good = [
            one.method
            for one in recommendation.candidates
            if one.relation in ("within_margin", "better") and not one.worse_on
        ]
        others = f"; within the margin of it: {joined(as_good)}" if as_good else ""
        return f"its mean {metric} is the {extreme}{known}, and what is cheaper is not known{others}"
    cheaper = any(cost is None or clearly_less(cost, own) for cost in costs.values())
    clearly = "clearly " if any(cost is not None and cost < own for cost in costs.values()) else ""
    rest = "nothing cheaper is known to be as good" if cheaper else f"nothing is {clearly}cheaper"
    return f"its mean {metric} is the {extreme}{known}, and {rest}"


def _cheaper_but_worse(recommendation: Recommendation, labels: Mapping[str, str]) -> list[str]:
    """Word which cheaper methods are within the margin on the primary metric, and worse on which others."""
    costs = {one.method: one.cost(recommendation.by) for one in recommendation.candidates}
    own = costs[recommendation.method] if recommendation.method else None
    primary = metric_label(recommendation.metric, recommendation.label)
    sentences = []
    for one in recommendation.candidates:
        cost = costs[one.method]
        if one.relation not in ("within_margin", "better") or not one.worse_on or cost is None or own is None:
            continue
        if clearly_less(cost, own):
            elsewhere = joined([metric_label(metric, labels.get(metric)) for metric in one.worse_on])
            sentences.append(
                f"{one.method} is cheaper ({cost_text(cost, recommendation.by)}) and within the margin on "
                f"{primary}, but worse on {elsewhere}."
            )
    return sentences


def _what_decides(recommendation: Recommendation) -> str:
    ways = []
    for candidate in recommendation.candidates:
        if candidate.method in recommendation.undecided:
            numbers = []
            if candidate.needed_documents:
                numbers.append(f"about {candidate.needed_documents:,} documents")
            if candidate.needed_seeds:
                numbers.append(f"{candidate.needed_seeds} seeds")
            if numbers:
                ways.append(f"{' or '.join(numbers)} would decide about {candidate.method}")
    return f"{'; '.join(ways)[:1].upper()}{'; '.join(ways)[1:]}." if ways else ""


def cost_text(value: float | None, by: str) -> str:
    """Return a cost with its unit, e.g. `3.3 GB` or `125 s`."""
    return amount(value, "seconds" if by == "time" else "bytes")
