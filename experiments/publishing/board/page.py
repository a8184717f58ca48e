"""docs/board.md: every method beside LoRA, with what it costs, from the records of the study `board`."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.publishing.board.rows import (
    COSTS,
    STUDY,
    Row,
    Standing,
    cheaper_on,
    rows_of,
    without_value,
)
from experiments.publishing.board.rule import LEAST_SEEDS, LEVEL
from experiments.publishing.board.setting import setting
from experiments.publishing.board.steps import Steps
from experiments.publishing.board.which import which
from experiments.publishing.kept import Kept
from figures.tables.table import Table
from figures.wording.evidence import cost_text, looks_text
from figures.wording.names import (
    MISSING,
    count,
    decimals,
    difference_text,
    interval_text,
    joined,
    method_label,
    p_text,
    value_text,
)
from figures.wording.pairs import metric_of
from toolkit.records import BASE, Condition, CostKind

WRITTEN = (
    "Written by `python -m experiments.publishing` from the records in `experiments/results/board`; no "
    "number is written by hand."
)
STEP = ("a step: time, memory",)
STEPS = (
    "*A step*: time per token and peak memory relative to `{baseline}`, all methods measured in one go on "
    "{device} ([performance](performance.md#what-a-step-of-each-method-takes))."
)
MINUTES = 600
"""Seconds of training: if every method takes less, times are given in seconds."""
LEADS: tuple[tuple[str, Standing], ...] = (
    ("Worse", "worse"),
    ("Undecided, which does not mean equal", "undecided"),
    ("Not compared, for the reason in the study's report", "refused"),
)
RULE = f"""## How to read it

- A method may be called *better* than the baseline only if both were tuned over the same number of learning
  rates, with {LEAST_SEEDS} seeds or more, and p is below {LEVEL:g} after Holm's correction over the whole
  board. If LoRA itself is entered under twenty names, practically none of them is called better
  ([simulated boards](calibration.md#a-board-of-names)).
- Every other verdict is the study's own ([how verdicts work](verdicts.md)). *Equivalent* means that the whole
  interval of the difference lies inside the margin, *undecided* that this board cannot tell. A study with
  another baseline or fewer methods may decide what this board cannot, from the same runs.
- Each interval covers one difference alone, but p is corrected for all of them: an interval without zero may
  stand beside *undecided*.
- *Cheaper*: clearly less memory, time or disk (by 5 %, and with the whole interval over seeds below the
  baseline), and not clearly more memory or time. Time counts only if no other work used the cores, and both
  only where they were measured on the baseline's device; *a step*, if there is such a column, tells the rest.
- The best of many values is partly luck. The verdicts show what is more than luck."""
REPEAT = """## Repeat it

```console
$ .venv/bin/bakeoff run board                            # hours on two CPU cores; after a stop, it continues
$ .venv/bin/bakeoff recommend board --by memory          # or time, or size
$ .venv/bin/python -m experiments.publishing --root . board  # keep the records and write this page again
```"""
UNFINISHED = """**{ran} of {all} methods are in these records**, and Holm's correction covers these.
Not run yet: {left}. `bakeoff run board` trains only what is missing, once these runs have been imported."""


def answer(rows: Sequence[Row], baseline: str, lost: Sequence[str] = ()) -> str:
    """Return the board in sentences: what is better, what is as good and cheaper, what is worse, the rest.

    ``lost``: methods without a row, since no confirming run of theirs was evaluated.
    """
    others = len(rows) - 1 + len(lost)
    better = _names(rows, "better")
    sentences = [
        f"Of {count(others, 'other method')}, {better} may be called better than `{baseline}`."
        if better
        else f"None of {count(others, 'other method')} may be called better than `{baseline}`."
    ]
    words = []
    for row in rows:
        if row.standing == "equivalent":
            less = [f"{ratio:.2g} of the {dict(COSTS)[by]}" for by, ratio in cheaper_on(row).items()]
            words.append(_name(row) + (f" (cheaper: {', '.join(less)})" if less else ""))
    if words:
        sentences.append(f"As good, within the margin: {joined(words)}.")
    for lead, standing in LEADS:
        if names := _names(rows, standing):
            sentences.append(f"{lead}: {names}.")
    if lost:
        sentences.append(
            f"Without a value, as no confirming run was evaluated: {joined([f'`{name}`' for name in lost])}."
        )
    return " ".join(sentences)


def _names(rows: Sequence[Row], standing: Standing) -> str:
    return joined([_name(row) + _aside(row) for row in rows if row.standing == standing])


def _aside(row: Row) -> str:
    """Return what an undecided method adds: that all of its interval is beyond the margin, on one side."""
    one = row.comparison
    if row.standing != "undecided" or one is None:
        return ""
    if one.low is None or one.high is None or one.margin is None:
        return ""
    far = one.low > one.margin or one.high < -one.margin
    return " (its whole interval is beyond the margin)" if far else ""


def _name(row: Row) -> str:
    return f"`{row.method}`" + ("" if row.tuned else " (untuned)")


def table(rows: Sequence[Row], baseline: str, steps: Steps | None = None) -> Table:
    """Return the board as a table, best value first; with ``steps`` what one of each method takes."""
    lines = []
    times = [row.candidate.train_seconds or 0.0 for row in rows if row.candidate]
    in_seconds = max(times, default=0.0) < MINUTES
    for row in rows:
        one, unit = row.comparison, row.estimate.unit or ""
        places = decimals(unit, row.estimate.low, row.estimate.high)
        value = value_text(row.estimate.value, unit, places)
        ends = [value_text(end, unit, places) for end in (row.estimate.low, row.estimate.high)]
        apart = decimals(unit, one.low, one.high) if one else 0
        costs = [_cost(row, by, in_seconds=in_seconds) for by, _ in COSTS]
        lines.append(
            (
                method_label(row.method, tuned=row.tuned),
                value if MISSING in ends else f"{value} [{ends[0]}, {ends[1]}]",
                f"{difference_text(one.difference, unit, apart)} "
                f"({interval_text(one.low, one.high, unit, apart)})"
                if one and one.difference is not None
                else MISSING,
                p_text(one.p_holm) if one else MISSING,
                _verdict(row),
                *costs,
                *((_step(row, steps),) if steps else ()),
                MISSING if row.parameters is None else f"{row.parameters:,.0f}",
            )
        )
    label = next((metric_of(row.comparison) for row in rows if row.comparison), "value")
    over = "seeds and documents" if any(row.estimate.seeds > 1 for row in rows) else "documents, of one seed"
    header = ("method", label, f"minus {baseline}", "p (Holm)", f"against {baseline}")
    return Table(
        name="board",
        title="Board",
        header=(*header, *(name for _, name in COSTS), *(STEP if steps else ()), "trainable parameters"),
        rows=lines,
        note=f"In brackets: 95 % intervals over {over}, which are wide because documents differ. Methods are "
        "compared by their differences per seed and document. Costs are means over seeds.",
    )


def _step(row: Row, steps: Steps) -> str:
    return ", ".join(f"{ratio:.2f}" for ratio in steps.of.get(row.method, ())) or MISSING


def _cost(row: Row, by: CostKind, *, in_seconds: bool) -> str:
    """A cost with its unit; short times all in seconds, so that they can be compared."""
    cost = row.candidate.cost(by) if row.candidate else None
    if by == "time" and in_seconds and cost is not None:
        return f"{cost:.0f} s"
    return cost_text(cost, by)


def _verdict(row: Row) -> str:
    one = row.comparison
    if one is None or row.standing in ("refused", "baseline"):
        return row.standing
    if row.standing == "worse" and one.beyond_margin:
        return "worse by more than the margin"
    if row.standing == "equivalent" and one.verdict in ("better", "worse"):
        return f"equivalent ({one.verdict}, but by less than the margin)"
    return f"{row.standing} ({row.unconfirmed})" if row.unconfirmed else row.standing


def page(kept: Kept | None, picture: str | None = None, steps: Steps | None = None) -> str:
    """Return the page; without records it states that the study has not been run.

    ``picture``: path of a figure of the differences, relative to the page. ``steps``: what a step of each
    method takes, if it was measured.
    """
    parts = ["# Board: beyond LoRA, with error bars", WRITTEN]
    if kept is None:
        parts.append(
            f"**The study `{STUDY}` has not been run yet.** `bakeoff plan {STUDY}` lists its runs. "
            "What other studies found is in [findings](findings.md)."
        )
        return "\n\n".join([*parts, RULE, REPEAT]) + "\n"
    concluded = kept.conclusions
    for condition in concluded.conditions:
        rows = rows_of(kept, condition)
        if not any(row.method == concluded.baseline for row in rows):
            continue
        lost = without_value(kept, condition)
        parts += [f"{_about(rows, condition)} {answer(rows, concluded.baseline, lost)}"]
        parts += [*_unfinished(kept), table(rows, concluded.baseline, steps).markdown()]
        if steps:
            parts.append(STEPS.format(baseline=concluded.baseline, device=steps.device))
        if picture:
            parts.append(f"![Differences to {concluded.baseline}]({picture})")
        if concluded.sequential:
            parts.append(looks_text(concluded.sequential))
        parts += which(kept, rows, condition)
        parts.append(setting(kept, rows, condition))
    return "\n\n".join([*parts, RULE, _repeat(kept)]) + "\n"


def _about(rows: Sequence[Row], condition: Condition) -> str:
    """Return what was compared, in a line before the answer."""
    seeds = count(max((row.estimate.seeds for row in rows), default=0), "seed")
    size = (
        "" if condition.train_size is None else f" after {count(condition.train_size, 'training document')}"
    )
    return f"{condition.base_model} on {condition.dataset}{size}, {seeds} per method."


def _repeat(kept: Kept) -> str:
    """Return how this table is made again, and, if it is a part of the study, how the whole is."""
    if not kept.missing:
        return REPEAT
    lines = REPEAT.splitlines()
    place = next(i for i, line in enumerate(lines) if "bakeoff run" in line)
    lines[place : place + 1] = [
        f"$ .venv/bin/{kept.command}  # this table",
        f"$ .venv/bin/bakeoff run {STUDY}  # every method: corrected p-values and verdicts may change",
    ]
    return "\n".join(lines)


def _unfinished(kept: Kept) -> list[str]:
    """A paragraph about the methods of the study file without a run in the records; none if all are there."""
    left = [f"`{name}`" for name in kept.missing]
    if not left:
        return []
    ran = len({cell.method for cell in kept.conclusions.cells} - {BASE})
    return [UNFINISHED.format(ran=ran, all=ran + len(left), left=joined(left))]
