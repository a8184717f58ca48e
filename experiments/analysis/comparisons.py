"""A study's estimates and comparisons, from the statistics that its outcomes hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

from eval.audit import refused
from eval.metrics import Metric, all_metrics
from eval.statistics import compare as stats
from eval.statistics.crossed import ALPHA, SeedPrior
from eval.statistics.verdicts import judged, refusal
from experiments.analysis.statistics import Statistics, count, seed_priors_of, unmeasured
from experiments.design.study import StudySpec
from toolkit.records import Comparison, Condition, Estimate, Finding
from toolkit.specs import BASE

Family = Literal["primary", "base", "claims", "conversions"]


def estimates(statistics: Statistics) -> list[Estimate]:
    """Every method on every metric, with its interval over seeds and documents."""
    result = []
    for (condition, method), seeds in statistics.items():
        for name, item in all_metrics().items():
            if unmeasured(item, [rows[name] for rows in seeds.values()]):
                continue
            table = stats.stack([rows[name] for rows in seeds.values()])
            clusters = statistics.clusters.get(condition)
            found = stats.estimate(item, table, clusters=clusters)
            result.append(
                Estimate(
                    **condition._asdict(),
                    method=method,
                    metric=name,
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    seeds=len(seeds),
                    documents=count(table, clusters),
                    speaks_about=found.speaks_about,
                    unit=item.unit,
                    label=item.label,
                )
            )
    return result


class Margin(NamedTuple):
    """An equivalence margin, and what its number is; None as the kind: what the metric's own is."""

    size: float | None
    kind: stats.MarginKind | None = None


def margin_of(study: StudySpec, item: Metric, given: float | None = None) -> Margin:
    """Return a metric's margin: the one ``given`` by a finding, or else the study's, or else its own."""
    chosen = given or study.margins.get(item.name)
    return Margin(item.margin) if chosen is None else Margin(chosen, stats.own_margin_kind(item))


def comparisons(
    study: StudySpec,
    statistics: Statistics,
    headline: Sequence[Metric],
    findings: Sequence[Finding],
    *,
    level: float = ALPHA,
    predict: bool = True,
) -> list[Comparison]:
    """Compare every method with the baseline (the primary family), then with the untouched base model.

    What is converted from another method is compared with that one alone, in a family of its own: a floor or
    a rounding added to a study changes none of its verdicts. A metric is compared on the data sets whose
    format it says anything about. ``level``: of this look, if the study is looked at several times.
    ``predict``: whether to say what could be detected and would decide.
    """
    result = []
    of_format = {data.name: [m for m in headline if m.defined_on(data.format)] for data in study.dataset}
    for family in get_args(Family):
        pairs = _pairs(study, statistics, family)
        trained = [(condition, method) for condition, method, _ in pairs]
        priors = seed_priors_of(statistics, trained, study.baseline, headline) if family == "primary" else {}
        tests = sum(len(of_format[condition.dataset]) for condition, _, _ in pairs)
        for condition, method, against in pairs:
            for item in of_format[condition.dataset]:
                one = compare(
                    statistics,
                    findings,
                    condition,
                    method,
                    against,
                    item,
                    margin_of(study, item),
                    seeds=study.seeds,
                    tests=tests,
                    family=family,
                    prior=priors.get((condition, method, item.name)),
                    level=level,
                    predict=predict,
                )
                result += [] if one is None else [one]
    return result


def _pairs(study: StudySpec, statistics: Statistics, family: Family) -> list[tuple[Condition, str, str]]:
    """Condition, method and what it is compared with, of all comparisons of a family but a finding's own."""
    against: dict[str, str] = {}
    trained = dict.fromkeys(m for _, m in statistics if m not in (BASE, *study.converted))
    if family == "primary":
        against = {method: study.baseline for method in trained if method != study.baseline}
    elif family == "base":
        against = dict.fromkeys(trained, BASE)
    elif family == "conversions":
        against = study.converted
    return [
        (condition, method, against[method])
        for condition, method in statistics
        if method in against and (condition, against[method]) in statistics
    ]


def compare(
    statistics: Statistics,
    findings: Sequence[Finding],
    condition: Condition,
    method: str,
    against: str,
    item: Metric,
    margin: Margin,
    *,
    seeds: Sequence[int],
    tests: int,
    family: Family = "primary",
    prior: SeedPrior | None = None,
    level: float = ALPHA,
    predict: bool = True,
) -> Comparison | None:
    """Compare two methods on a metric; refused if the audit refuses either; None if one was not evaluated."""
    ours, theirs = statistics.get((condition, method)), statistics.get((condition, against))
    if ours is None or theirs is None:
        return None
    why = refused(findings, condition, {method, against})
    for name, side in ((method, ours), (against, theirs)):
        if name in (BASE, *statistics.unseeded):
            continue
        if lost := sorted(set(seeds) - side.keys()):
            why = f"{name} has no evaluated run of seed {', '.join(map(str, lost))}"
    shared = {
        **condition._asdict(),
        "method": method,
        "baseline": against,
        "metric": item.name,
        "direction": item.direction,
        "unit": item.unit,
        "label": item.label,
        "family": family,
    }
    if why:
        return refusal(shared, why)
    base = statistics.get((condition, BASE), {})
    found = stats.compare(
        item,
        stats.stack([rows[item.name] for rows in ours.values()]),
        stats.stack([rows[item.name] for rows in theirs.values()]),
        margin=margin.size,
        margin_kind=margin.kind,
        base=stats.stack([rows[item.name] for rows in base.values()]) if base else None,
        tests=tests,
        prior=prior,
        clusters=statistics.clusters.get(condition),
        level=level,
        predict=predict,
    )
    if {method, against} & statistics.unseeded:  # its training is not in the interval, however many seeds
        found = replace(found, speaks_about="checkpoints")
    excluded = f"{found.excluded} documents without a value on one side" if found.excluded else None
    return replace(found, reason=found.reason or excluded).as_record(shared)


class KnownComparisons:
    """Comparisons that a study has concluded, by their two methods in either order."""

    def __init__(self, comparisons: Iterable[Comparison]):
        self._known = {(one.condition, one.method, one.baseline, one.metric): one for one in comparisons}

    def get(
        self,
        condition: Condition,
        method: str,
        against: str,
        metric: str,
        with_margin: Callable[[], Comparison | None],
        *,
        own_margin: bool = True,
    ) -> Comparison | None:
        """Return what is concluded, so that one report cannot disagree with itself; None if nothing is.

        Its interval and p-value stay. Its margin is taken from ``with_margin``, the comparison of the two by
        itself, if ``own_margin`` is False, or the other way round: a share of the baseline is of another one.
        """
        known = self._known.get((condition, method, against, metric))
        if known is not None and own_margin:
            return known
        if known is None and (other := self._known.get((condition, against, method, metric))):
            known = _turned(other)
        apart = None if known is None else with_margin()
        if known is None or apart is None or "refused" in (known.verdict, apart.verdict):
            return known
        return judged(known.model_copy(update={"margin": apart.margin}), known.p_holm)


def _turned(one: Comparison) -> Comparison:
    """The comparison of the same two methods the other way round, without margin and verdict."""
    low, high = (None if end is None else -end for end in (one.high, one.low))
    return one.model_copy(
        update={
            "method": one.baseline,
            "baseline": one.method,
            "difference": None if one.difference is None else -one.difference,
            "low": low,
            "high": high,
            "margin": None,
            "verdict": one.verdict if one.verdict == "refused" else "undecided",
            "unseeded": {"method": "baseline", "baseline": "method"}.get(one.unseeded or ""),
        }
    )
