"""The page of `bakeoff judge`: a table of verdicts, a forest plot per task, and the audit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from figures.gallery.draw import write_figure
from figures.gallery.figure import FigureSpec
from figures.plots import forest
from figures.report.page import render
from figures.style import Style
from figures.tables.table import Table
from figures.wording.names import (
    decimals,
    difference_text,
    interval_text,
    joined,
    metric_label,
    p_text,
    value_text,
)
from figures.wording.pairs import metric_of, verdict_text
from toolkit.records import Comparison, Estimate, Finding
from toolkit.records.files import write_text

HEADER = (
    "task",
    "metric",
    "result",
    "value",
    "baseline",
    "difference",
    "95 % interval",
    "p (Holm)",
    "verdict",
)
NUMBERS = ["dataset", "metric", "method", "baseline", "unit", "difference", "low", "high", "p", "p_holm"]
NUMBERS += ["margin", "verdict", "seeds", "documents", "reason"]


def build_judged(
    folder: Path,
    baseline: str,
    estimates: Sequence[Estimate],
    comparisons: Sequence[Comparison],
    audit: Sequence[Finding],
    unmatched: Sequence[str],
    style: Style = Style(),  # noqa: B008 - a frozen value
) -> Path:
    """Write the tables, figures and report of a judgement into ``folder``; return its report.html.

    Files of other names in the folder stay. Raises UserError if the folder can't be written.
    """
    table = verdicts(baseline, estimates, comparisons)
    write_text(folder / "tables" / "verdicts.csv", table.csv())
    write_text(folder / "tables" / "verdicts.md", table.markdown() + "\n")
    write_text(folder / "tables" / "verdicts.tex", table.latex())
    facts = {
        "baseline": baseline,
        "table": table,
        "figures": [
            write_figure(spec, folder / "figures", style) for spec in _figures(baseline, comparisons)
        ],
        "audit": [finding for finding in audit if finding.status != "ok"],
        "unmatched": list(unmatched),
    }
    write_text(folder / "report.md", render("judged.md.jinja", facts, folder))
    write_text(folder / "report.html", render("judged.html.jinja", facts, folder))
    return folder / "report.html"


def verdicts(baseline: str, estimates: Sequence[Estimate], comparisons: Sequence[Comparison]) -> Table:
    """One row per comparison; the CSV has numbers, and the reason of what was refused."""
    values = {(one.dataset, one.metric, one.method): one.value for one in estimates}
    rows: list[tuple[str, ...]] = []
    numbers = []
    for pair in comparisons:
        unit = pair.unit or ""
        places = decimals(unit, pair.low, pair.high)
        ours, theirs = (values.get((pair.dataset, pair.metric, name)) for name in (pair.method, baseline))
        rows.append(
            (
                pair.dataset,
                metric_label(pair.metric, pair.label),
                pair.method,
                value_text(ours, unit, places),
                value_text(theirs, unit, places),
                difference_text(pair.difference, unit, places),
                interval_text(pair.low, pair.high, unit, places),
                p_text(pair.p_holm),
                verdict_text(pair) if pair.verdict != "refused" else f"refused: {pair.reason}",
            )
        )
        numbers.append({**pair.model_dump(include={*NUMBERS}), "value": ours, "baseline_value": theirs})
    columns = [*NUMBERS, "value", "baseline_value"]
    return Table(
        name="verdicts",
        title=f"Results against {baseline}",
        header=HEADER,
        rows=rows,
        note=f"Difference: result minus {baseline}. p: Holm-corrected over the table. Undecided: not equal.",
        numbers=pd.DataFrame(numbers, columns=columns),
    )


def _figures(baseline: str, comparisons: Sequence[Comparison]) -> Iterator[FigureSpec]:
    """A figure per task, one panel per metric; what was refused has no difference to draw."""
    drawable = [pair for pair in comparisons if pair.difference is not None and pair.low is not None]
    for number, task in enumerate(dict.fromkeys(pair.dataset for pair in drawable), start=1):
        pairs = [pair for pair in drawable if pair.dataset == task]
        tables = [
            pd.DataFrame([_row(pair, baseline) for pair in pairs if pair.metric == name])
            for name in dict.fromkeys(pair.metric for pair in pairs)
        ]
        name = re.sub(r"[^\w.-]+", "-", task)[:60]
        yield FigureSpec(
            name=f"differences-{number}-{name}",
            title=f"{task}: differences to {baseline}",
            caption=f"{_pairing(pairs)} A band is the equivalence margin, if one was given.",
            panels=[(forest.differences, table) for table in tables],
            heights=[0.62 + 0.26 * len(table) for table in tables],
            right=2.5,
        )


def _pairing(pairs: Sequence[Comparison]) -> str:
    """How the differences of a task were formed."""
    apart = [pair for pair in pairs if (pair.reason or "").startswith("unpaired")]
    if not apart:
        return "Paired by item."
    if len(apart) == len(pairs):
        return "Unpaired: one number per run, without its items."
    names = joined(list(dict.fromkeys(f"{pair.method} on {metric_of(pair)}" for pair in apart)))
    return f"Paired by item, but for {names}: one number per run, without its items."


def _row(pair: Comparison, baseline: str) -> dict[str, object]:
    return {
        **pair.model_dump(),
        "metric_label": metric_label(pair.metric, pair.label),
        "label": pair.method,
        "baseline_label": baseline,
        "test": None,
        "base_model": None,  # of results from elsewhere this is the tool that wrote them
        "untuned": False,
    }
