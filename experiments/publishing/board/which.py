"""Which method to use, by each cost of a board, or why that is not known."""

from __future__ import annotations

from collections.abc import Sequence

from eval.audit import comparable, had_its_cores
from experiments.analysis.recommend import choose
from experiments.publishing.board.rows import COSTS, Row, cheaper_on
from experiments.publishing.kept import Kept
from figures.wording.evidence import recommendation_text
from figures.wording.names import joined
from figures.wording.pairs import metric_labels
from toolkit.records import Condition, CostKind

ALONE = (
    "By this board alone: the method with the best mean, of which a part is luck, or one that is clearly "
    "cheaper and within the margin of it. [Findings](findings.md) opens with what all studies together say."
)


def which(kept: Kept, rows: Sequence[Row], condition: Condition) -> list[str]:
    """Return the section's paragraphs; none if every method has one seed, which may be the lucky one."""
    if all(row.estimate.seeds == 1 for row in rows):
        return []
    parts, raw = ["## Which one to use", ALONE], [row.method for row in rows if not row.tuned]
    labels = metric_labels(kept.conclusions)
    for one in (one for one in kept.conclusions.recommendations if one.condition == condition):
        for by, label in COSTS:
            unknown, elsewhere = _unknown(kept, rows, condition, by)
            words = recommendation_text(choose(one, by), [condition], raw, labels)
            if unknown:
                words = f"Not known, since {unknown}."
            elif elsewhere:
                words += f" Not known for {joined(elsewhere)}: no measured run on the same device."
            parts.append(f"**By {label}.** {words}{_as_good(rows, kept.conclusions.baseline, by)}")
    return parts if len(parts) > 2 else []


def _as_good(rows: Sequence[Row], baseline: str, by: CostKind) -> str:
    """Return the methods that are equivalent to the baseline and take less of a cost; empty if none does."""
    less = [
        f"`{row.method}` ({ratios[by]:.2g})"
        for row in rows
        if row.standing == "equivalent" and by in (ratios := cheaper_on(row))
    ]
    return f" As good as `{baseline}` and cheaper: {joined(less)}." if less else ""


def _unknown(
    kept: Kept, rows: Sequence[Row], condition: Condition, by: CostKind
) -> tuple[str | None, list[str]]:
    """Return why a cost is known of no method, and the methods of which it is not known."""
    if by == "size":
        return None, []
    cells = [c for c in kept.conclusions.cells if c.condition == condition and c.phase == "confirm"]
    there = comparable(cells, kept.runs, kept.conclusions.baseline)
    methods = {cell.method for cell in cells if cell.run_id in there}
    elsewhere = [f"`{row.method}`" for row in rows if row.method not in methods]
    if len(rows) - len(elsewhere) < min(2, len(rows)):
        return "no two methods ran on one device", elsewhere
    if by == "time" and not all(had_its_cores(run) for run in there.values()):
        return "other work had some of the cores, or may have", elsewhere
    return None, elsewhere
