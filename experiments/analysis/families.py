"""A verdict that changed because the study's metrics changed after results existed: found, kept, flagged."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from experiments.design.study import StudySpec
from toolkit.errors import UserError
from toolkit.records import Comparison, Conclusions, FamilyChange, Finding, LookPlan

logger = logging.getLogger(__name__)


def earlier(path: Path) -> Conclusions | None:
    """Return the conclusions of an earlier `comparisons.json`; None if it is missing or cannot be read.

    The second is logged: what it said of earlier looks and metrics is lost.
    """
    try:
        return Conclusions.read(path) if path.is_file() else None
    except UserError as error:
        logger.warning("%s. Its looks and changes of metrics are forgotten", error)
        return None


def planned_for(looks: LookPlan, study: StudySpec) -> bool:
    """Whether looks were planned for what a study trains; with another base or data it is another study."""
    return looks.study in (None, study.what_is_trained, *study.what_was_trained)


def family_changes(
    earlier: Conclusions | None, headline: Sequence[str], comparisons: Sequence[Comparison]
) -> tuple[FamilyChange, ...]:
    """Return the changes that earlier conclusions record, and one more if the metrics differ from theirs."""
    if earlier is None:
        return ()
    if set(earlier.headline) == set(headline):
        return earlier.family_changes
    before = {_key(one): one for one in earlier.comparisons}
    changed = [
        f"{one.method} against {one.baseline}, {one.metric}: {old.verdict} became {one.verdict}"
        for one in comparisons
        if (old := before.get(_key(one))) and old.verdict != one.verdict and _same_numbers(old, one)
    ]
    change = FamilyChange(before=earlier.headline, after=tuple(headline), verdicts=tuple(changed))
    return (*earlier.family_changes, change)


def flagged(changes: Sequence[FamilyChange]) -> list[Finding]:
    """Return a finding of the audit for each change of the family that changed a verdict."""
    return [
        Finding(
            check="primary family",
            status="flagged",
            text=f"the metrics were changed after results existed, from {', '.join(change.before)} to "
            f"{', '.join(change.after)}, and so was the correction: {'; '.join(change.verdicts)}",
        )
        for change in changes
        if change.verdicts
    ]


def flagged_looks(
    looks: LookPlan | None, seeds: int, documents: int, methods: Sequence[str], metrics: Sequence[str]
) -> list[Finding]:
    """Return a finding for each look at a study that its planned levels do not include.

    ``seeds``, test ``documents``, ``methods`` and headline ``metrics``: of these conclusions.
    """
    if looks is None:
        return []
    texts = []
    if looks.concluded_before:
        texts.append(
            "the study had been concluded before its looks were planned: that one is not in their 5 %"
        )
    if (seeds, documents) != (looks.now.seeds, looks.now.documents):
        texts.append(
            f"the study was looked at {looks.taken} times, last with {looks.now.seeds} seeds and "
            f"{looks.now.documents} test documents; these conclusions are of {seeds} and {documents}, "
            "which was not planned, at the level of that look"
        )
    planned = (looks.methods, looks.metrics)
    if planned != (tuple(methods), tuple(metrics)):
        texts.append(
            f"the looks were planned for {', '.join(looks.methods)} on {', '.join(looks.metrics)}; these "
            "conclusions are of others, at the level of the last look"
        )
    return [Finding(check="looks", status="flagged", text=text) for text in texts]


def abandoned(looks: LookPlan) -> Finding:
    """Return the finding about looks that were planned for other bases, data, training or search."""
    text = (
        f"the study had been looked at {looks.taken} times before its base models, data, training or search "
        "were changed: those looks are not in the 5 % of these conclusions"
    )
    return Finding(check="looks", status="flagged", text=text)


def _key(one: Comparison) -> tuple[object, ...]:
    return one.condition, one.method, one.baseline, one.metric


def _same_numbers(old: Comparison, new: Comparison) -> bool:
    """Whether the data behind two verdicts are the same.

    Then only the metrics beside them can have changed: by the correction, and by what they say of how much
    seeds vary, which is part of every interval.
    """
    return (old.difference, old.seeds, old.documents) == (new.difference, new.seeds, new.documents)
