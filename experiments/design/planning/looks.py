"""The sizes at which a growing study is looked at, planned from costs and a budget before any result is."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from itertools import chain
from typing import NamedTuple

from eval.statistics.sequential import levels
from experiments.design.planning.costs import Costs
from experiments.design.study import StudySpec
from experiments.design.study_state import CellState, StudyState
from toolkit.errors import UserError
from toolkit.records import Look

SEEDS = (3, 5, 8, 12)
"""Seeds of the sizes: a claim about methods needs three, and each step adds about half as many again."""
DOCUMENTS = (2, 4)
"""Times as many test documents, once there are most seeds."""
SEED_LIMIT = 2**32
"""Seeds are below it."""
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


class Size(NamedTuple):
    """How large a study is at a look."""

    seeds: int
    documents: int
    """Test documents."""


def seconds_of(text: str) -> float:
    """Read a duration such as `2h`, `90m` or `1h30m`, in seconds. Raises UserError if it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", text)
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise UserError(f"--budget {text}: expected a duration such as 2h, 90m or 1h30m")
    return seconds


def documents_of(study: StudySpec) -> int:
    """Return how many test documents a study has of its own."""
    return study.data.test + study.data.further_test


def sizes(seeds: int, documents: int) -> list[Size]:
    """Return the sizes a study may grow to: its own with at least three seeds, more seeds, more documents."""
    first = max(seeds, SEEDS[0])
    steps = [first, *(count for count in SEEDS if count > first)]
    return [Size(count, documents) for count in steps] + [
        Size(steps[-1], documents * times) for times in DOCUMENTS
    ]


def grown(study: StudySpec, size: Size) -> StudySpec:
    """Return the study at a size: seeds are added after its largest, documents beyond its test split.

    If no seed is left above its largest, the smallest unused ones are added. A limit on the texts that are
    generated grows with the documents.
    """
    seeds = list(study.seeds)
    while len(seeds) < size.seeds:
        seeds.append(_fresh_seed((*seeds, *study.tuning_seeds), after=max(seeds)))
    data = study.data.model_copy(update={"further_test": size.documents - study.data.test})
    evaluate = study.evaluate
    before = documents_of(study)
    if size.documents != before and evaluate.generations:
        texts = math.ceil(evaluate.generations * size.documents / before)
        evaluate = evaluate.model_copy(update={"generations": texts})
    return study.model_copy(update={"seeds": tuple(seeds), "data": data, "evaluate": evaluate})


def _fresh_seed(used: Collection[int], after: int) -> int:
    """Return the smallest unused seed above ``after``, or of all if there is none above it."""
    return next(n for n in chain(range(after + 1, SEED_LIMIT), range(after)) if n not in used)


def affordable(possible: Sequence[Size], costs: Sequence[float | None], seconds: float) -> list[Size]:
    """Return the sizes up to the last one that fits. ``costs``: seconds of each step from size to size.

    A step of unknown cost does not fit.
    """
    result = [possible[0]]
    for size, cost in zip(possible[1:], costs, strict=True):
        if cost is None or cost > seconds:
            break
        seconds -= cost
        result.append(size)
    return result


def looks_at(planned: Sequence[Size]) -> tuple[Look, ...]:
    """Return a look at each size, with its level.

    Information is taken as proportional to seeds times documents, which is the most that it can grow by:
    looks are then at least as alike as planned, and the error is at most 5 %. It is spent by the square root
    of that share, since by the share itself a small first size could decide nothing.
    """
    most = planned[-1].seeds * planned[-1].documents
    shares = [size.seeds * size.documents / most for size in planned]
    by_look = levels(shares, times=[math.sqrt(share) for share in shares])
    return tuple(
        Look(seeds=size.seeds, documents=size.documents, level=level)
        for size, level in zip(planned, by_look, strict=True)
    )


def seconds_between(now: StudyState, larger: StudyState, lost: Collection[str]) -> float | None:
    """Return the seconds from one size to the next, one run at a time; None if a cell's cost is not known.

    What is done already takes none.

    ``lost``: ids of runs that failed, without which a search continues.
    """
    costs = Costs(larger)
    finished = {cell.run.run_id for cell in now.cells(lost)}
    more_documents = now.study.data != larger.study.data
    total = 0.0
    cells = larger.cells(lost)
    for cell in [*cells, *larger.waiting_conversions(cells, lost)]:
        there = cell.run.run_id in finished
        if cell.phase == "tune" or (there and not more_documents):
            continue
        left = larger.state(cell)
        if left is CellState.DONE:
            continue
        if not left.trained:  # converting takes little beside an evaluation, and is not measured
            evaluated_only = there or cell.run.converts is not None
            left = CellState.TO_EVALUATE if evaluated_only else CellState.TO_TRAIN
        seconds = costs(cell, left).seconds
        if seconds is None:
            return None
        total += seconds
    return total


def training_of(at: StudyState) -> dict[tuple[str, int], tuple[str, str]]:
    """Return the fingerprints of training and validation, which more test documents must not change."""
    return {key: (prints["train"], prints["validation"]) for key, prints in at.design.fingerprints.items()}
