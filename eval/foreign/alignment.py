"""May two results be compared item by item? What is refused, what is flagged, and the statistics lined up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.foreign.sources.scores import ItemScores
from eval.metrics.base import Floats
from toolkit.records import Finding

FEW = {
    1: "one run per side: the verdict is about these two checkpoints, not about how they were made",
    2: "two runs at most per side: the verdict is about these checkpoints, not about how they were made",
}
"""What too few runs, on the side that has more, mean for a verdict; see `speaks_about`."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One model on one metric: its runs, one per training seed."""

    name: str
    runs: tuple[ItemScores, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The training seed of each run; None if unknown."""
        return tuple(run.seed for run in self.runs)


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Two sides on the same items in the same order, or the reason why they can't be."""

    ours: Floats
    """Statistics ``[seeds, items, k]``."""
    theirs: Floats
    findings: tuple[Finding, ...]
    refused: str | None = None


def only_shared(sides: Mapping[str, Side]) -> tuple[dict[str, Side], tuple[Finding, ...]]:
    """Leave the items that every run of every side has, and flag it if that leaves some out.

    Unchanged if no item is shared by all, and for results without items.
    """
    runs = [run for side in sides.values() for run in side.runs]
    common = set(runs[0].items).intersection(*(run.items for run in runs))
    most = max(runs, key=lambda run: len(run.items))
    if not common or len(most.items) == len(common):
        return dict(sides), ()
    text = f"only shared items are compared: {_missing(most, common)}"
    cut = {
        name: replace(side, runs=tuple(_among(run, common) for run in side.runs))
        for name, side in sides.items()
    }
    return cut, (_finding("items", "flagged", text, tuple(sides)),)


def align(ours: Side, theirs: Side) -> Aligned:
    """Line two sides up by item and seed.

    Refused if items differ, or if a prompt or target of the same item differs by its hash. Flagged if prompts
    or seeds are unknown, or if there are fewer than three seeds. Runs are paired by seed if both sides have
    the same seeds, else in the order given.
    """
    ours_runs, theirs_runs, findings = _paired_by_seed(ours, theirs)
    names = (ours.name, theirs.name)
    first = theirs_runs[0]
    common = set(first.items).intersection(*(run.items for run in (*ours_runs, *theirs_runs)))
    most = max((*ours_runs, *theirs_runs), key=lambda run: len(run.items))
    if len(most.items) > len(common):  # the runs of one file may differ, too
        text = _missing(most, common)
        return _refusal(f"{text}; --shared-items compares those" if common else text, findings)
    order = [item for item in first.items if item in common]
    for kind in ("prompts", "targets"):
        problem, known = _differs(kind, (*ours_runs, *theirs_runs), order)
        if problem:
            return _refusal(problem, findings)
        if not known:
            findings.append(_finding(kind, "flagged", f"{kind} are not recorded: equal by item only", names))
        else:
            findings.append(_finding(kind, "ok", f"the same {kind} for all {len(order)} items", names))
    findings += [_finding("origin", "flagged", note, names) for note in _notes(ours_runs, theirs_runs)]
    tables = [np.stack([_in_order(run, order) for run in side]) for side in (ours_runs, theirs_runs)]
    return Aligned(ours=tables[0], theirs=tables[1], findings=tuple(findings))


def _missing(most: ItemScores, common: set[str]) -> str:
    seed = "" if most.seed is None else f", seed {most.seed},"
    number = len(most.items) - len(common)
    return f"{number} items of {most.source}{seed} are not in every run ({len(common)} are shared)"


def _among(run: ItemScores, items: set[str]) -> ItemScores:
    kept = [place for place, item in enumerate(run.items) if item in items]
    return replace(
        run,
        items=tuple(run.items[place] for place in kept),
        statistics=run.statistics[kept],
        prompts=tuple(run.prompts[place] for place in kept) if run.prompts else (),
        targets=tuple(run.targets[place] for place in kept) if run.targets else (),
    )


def _paired_by_seed(
    ours: Side, theirs: Side
) -> tuple[tuple[ItemScores, ...], tuple[ItemScores, ...], list[Finding]]:
    names = (ours.name, theirs.name)
    most = max(len(ours.runs), len(theirs.runs))
    findings = [_finding("seeds", "flagged", FEW[most], names)] if most in FEW else []
    known = [None not in side.seeds and len(set(side.seeds)) == len(side.runs) for side in (ours, theirs)]
    if all(known) and set(ours.seeds) == set(theirs.seeds):
        by_seed = [sorted(side.runs, key=lambda run: run.seed or 0) for side in (ours, theirs)]
        return tuple(by_seed[0]), tuple(by_seed[1]), findings
    for side in (ours, theirs):
        if len(side.runs) == 1 < most:
            text = f"{side.name} is one run: how much its training varies is in no interval"
            findings.append(_finding("seeds", "flagged", text, (side.name,)))
    if min(len(ours.runs), len(theirs.runs)) > 1:
        text = "training seeds are unknown or differ: runs are paired in the order given"
        findings.append(_finding("seeds", "flagged", text, names))
    return ours.runs, theirs.runs, findings


def _differs(kind: str, runs: Sequence[ItemScores], order: Sequence[str]) -> tuple[str | None, bool]:
    """What differs between runs, and whether every run records it."""
    tables = [
        dict(zip(run.items, getattr(run, kind) or (None,) * len(run.items), strict=True)) for run in runs
    ]
    known = True
    for item in order:
        hashes = {table[item] for table in tables}
        known &= None not in hashes
        if len(hashes - {None}) > 1:
            return f"item '{item}' has different {kind} in {runs[0].source} and another file", known
    return None, known


def _notes(*sides: Sequence[ItemScores]) -> list[str]:
    return list(dict.fromkeys(note for side in sides for run in side for note in run.notes))


def _in_order(run: ItemScores, order: Sequence[str]) -> Floats:
    place = {item: index for index, item in enumerate(run.items)}
    return run.statistics[[place[item] for item in order]]


def _refusal(text: str, findings: list[Finding]) -> Aligned:
    empty = np.empty((0, 0, 0))
    return Aligned(ours=empty, theirs=empty, findings=tuple(findings), refused=text)


def _finding(check: str, status: str, text: str, methods: tuple[str, ...]) -> Finding:
    return Finding.model_validate({"check": check, "status": status, "text": text, "methods": methods})
