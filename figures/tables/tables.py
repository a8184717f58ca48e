"""Tables for the terminal, the report and a paper, all from the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from tabulate import tabulate

from figures.tidy.load import StudyTables, records
from figures.wording.words import (
    MINUS,
    MISSING,
    amount,
    anchor_label,
    condition_label,
    decimals,
    difference_text,
    interval_text,
    method_label,
    metric_label,
    needed_text,
    p_text,
    present,
    value_text,
)
from toolkit.records import Comparison, Conclusions, Condition


class VerdictRow(NamedTuple):
    """One line of the verdict table, in words."""

    panel: str
    """The condition; empty where the study has only one."""
    comparison: str
    metric: str
    value: str
    baseline_value: str
    difference: str
    interval: str
    p_holm: str
    verdict: str


class Table(NamedTuple):
    """A table ready to be printed in any format."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """As a GitHub-flavoured Markdown table."""
        cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in self.rows]
        return tabulate(cells, self.header, tablefmt="pipe", disable_numparse=True)

    def latex(self) -> str:
        r"""As a LaTeX `tabular` with booktabs rules, escaped; for a preamble with `\usepackage{booktabs}`."""
        text = tabulate(self.rows, self.header, tablefmt="latex_booktabs", disable_numparse=True)
        for sign, command in LATEX.items():
            text = text.replace(sign, command)
        return f"% {self.title}; needs \\usepackage{{booktabs}}\n{text}\n"

    def csv(self) -> str:
        """As CSV, with the words of the other formats."""
        return pd.DataFrame(self.rows, columns=list(self.header)).to_csv(index=False, lineterminator="\n")


LATEX = {
    MINUS: "$-$",
    MISSING: "--",
    "±": "$\\pm$",
    "×": "$\\times$",
    "…": "\\ldots{}",
    "≥": "$\\geq$",
    "≤": "$\\leq$",
}
"""Signs that LaTeX's own fonts lack, spelled as its commands."""

VERDICT_HEADER = {
    "panel": "condition",
    "comparison": "comparison",
    "metric": "metric",
    "value": "value",
    "baseline_value": "baseline",
    "difference": "difference",
    "interval": "95 % interval",
    "p_holm": "p (Holm)",
    "verdict": "verdict",
}


def verdict_table(conclusions: Conclusions) -> list[VerdictRow]:
    """One row a comparison and metric: the study's baseline first, metrics in the headline's order."""
    order = {metric: place for place, metric in enumerate(conclusions.headline)}
    conditions = conclusions.conditions

    def place(pair: Comparison) -> tuple[bool, int]:
        return pair.baseline != conclusions.baseline, order.get(pair.metric, len(order))

    rows = []
    for pair in sorted(conclusions.comparisons, key=place):
        unit = pair.unit or ""
        places = decimals(unit, pair.low, pair.high)
        rows.append(
            VerdictRow(
                panel=condition_label(pair.condition, conditions) if len(conditions) > 1 else "",
                comparison=versus(conclusions, pair),
                metric=metric_label(pair.metric),
                value=value_text(value_of(conclusions, pair, pair.method), unit, places),
                baseline_value=value_text(value_of(conclusions, pair, pair.baseline), unit, places),
                difference=difference_text(pair.difference, unit, places),
                interval=interval_text(pair.low, pair.high, unit, places),
                p_holm=p_text(pair.p_holm),
                verdict=pair.verdict,
            )
        )
    return rows


def value_of(conclusions: Conclusions, pair: Comparison, method: str) -> float | None:
    """A method's estimate on the metric of a comparison; None where there is none."""
    here = (pair.condition, method, pair.metric)
    found = (e.value for e in conclusions.estimates if (e.condition, e.method, e.metric) == here)
    return next(found, None)


def untuned(conclusions: Conclusions, condition: Condition, method: str) -> bool:
    """Whether any evaluated run of a method had a learning rate that was not searched for."""
    return any(
        not cell.tuned
        for cell in conclusions.cells
        if (cell.condition, cell.method) == (condition, method) and cell.phase == "confirm"
    )


def versus(conclusions: Conclusions, pair: Comparison) -> str:
    """``lora-r16 vs full``, with *untuned* beside whichever is."""
    names = (pair.method, pair.baseline)
    raw = [untuned(conclusions, pair.condition, name) for name in names]
    if all(raw):
        return f"{names[0]} vs {names[1]} (both untuned)"
    return " vs ".join(method_label(name, tuned=not flag) for name, flag in zip(names, raw, strict=True))


def verdicts(conclusions: Conclusions) -> Table:
    """The verdict table; the panel's column only where there are several panels."""
    rows = verdict_table(conclusions)
    shown = [field for field in VerdictRow._fields if field != "panel" or any(row.panel for row in rows)]
    return Table(
        name="verdicts",
        title="Verdicts",
        header=tuple(VERDICT_HEADER[field] for field in shown),
        rows=[tuple(getattr(row, field) for field in shown) for row in rows],
    )


def undecided(conclusions: Conclusions) -> Table:
    """For each undecided comparison: the smallest difference it would have seen, and what would decide."""
    rows: list[tuple[str, ...]] = []
    for pair in conclusions.comparisons:
        if pair.verdict == "undecided":
            unit = pair.unit or ""
            seen = difference_text(pair.smallest_detectable, unit, decimals(unit, pair.low, pair.high))
            why = needed_text(pair) or pair.reason or "nothing that is known: the p-value alone is too large"
            where = condition_label(pair.condition, conclusions.conditions)
            rows.append(
                (where, versus(conclusions, pair), metric_label(pair.metric), seen.removeprefix("+"), why)
            )
    header = ("condition", "comparison", "metric", "would have seen", "would decide")
    return Table(name="undecided", title="What the undecided ones would need", header=header, rows=rows)


def results(part: StudyTables, metrics: Sequence[str]) -> Table:
    """A method a row, a metric a column: value and 95 % interval; then the anchors."""
    rows = [
        (name, *(cells.get(metric, MISSING) for metric in metrics)) for name, cells in _cells(part).items()
    ]
    header = ("method", *(metric_label(metric) for metric in metrics))
    return Table(name="results", title="Headline metrics, with 95 % intervals", header=header, rows=rows)


def all_metrics(part: StudyTables) -> Table:
    """A metric a row, a method or anchor a column: every metric that the evaluations hold."""
    cells = _cells(part)
    names = dict.fromkeys([*part.conclusions.headline, *part.scores["metric"]])
    better = dict(zip(part.scores["metric"], part.scores["direction"], strict=True))
    rows = [
        (metric_label(metric), better[metric], *(mine.get(metric, MISSING) for mine in cells.values()))
        for metric in names
        if metric in better
    ]
    return Table(name="all-metrics", title="Every metric", header=("metric", "better", *cells), rows=rows)


def _cells(part: StudyTables) -> dict[str, dict[str, str]]:
    """Method or anchor -> metric -> its value in words, with the interval where there is one."""
    cells: dict[str, dict[str, str]] = {}
    means = part.scores.groupby(["label", "metric", "unit"], sort=False)["value"].mean().reset_index()
    for row in records(means):
        words = value_text(row["value"], row["unit"], decimals(row["unit"], None, None))
        cells.setdefault(row["label"], {})[row["metric"]] = words
    for row in records(part.estimates):
        cells.setdefault(row["label"], {})[row["metric"]] = _with_interval(row)
    for row in records(part.anchors):
        words = value_text(row["value"], row["unit"], 1)
        cells.setdefault(anchor_label(row["anchor"]), {})[row["metric"]] = words
    return cells


def _with_interval(row: dict[str, Any]) -> str:
    places = decimals(row["unit"], row["low"], row["high"])
    value = value_text(row["value"], row["unit"], places)
    ends = [value_text(row[end], row["unit"], places) for end in ("low", "high")]
    return (
        value if MISSING in ends else f"{value} [{ends[0].removesuffix(' %')}, {ends[1].removesuffix(' %')}]"
    )


def settings(part: StudyTables) -> Table:
    """A metric, prompt mode and decoding a row, a method a column; the headline's metrics first."""
    lead = {metric: place for place, metric in enumerate(part.conclusions.headline)}
    table = part.settings.assign(rank=part.settings["metric"].map(lead).fillna(len(lead)))
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    table = table.sort_values("rank", kind="stable")
    for (metric, mode), mine in table.groupby(["metric", "prompt_mode"], sort=False):
        for decoding, here in mine.sort_values("order", kind="stable").groupby("decoding", sort=False):
            cells = {row["label"]: _with_interval(row) for row in records(here)}
            words = [cells.get(label, MISSING) for label in labels]
            rows.append((metric_label(str(metric)), str(mode), str(decoding), *words))
    header = ("metric", "prompt through", "decoding", *labels)
    return Table(name="settings", title="Every prompt and decoding", header=header, rows=rows)


def effects(part: StudyTables) -> Table:
    """How far a metric moves over decodings and over methods, and the shares of its differences."""
    rows = []
    for row in records(part.effects[part.effects["over_decodings"].notna()]):
        moves = [_size(row[name], row["unit"]) for name in ("over_decodings", "over_methods")]
        shares = [value_text(row[f"share_{name}"], "share", 0) for name in EFFECTS]
        rows.append((metric_label(row["metric"]), row["prompt_mode"], *moves, *shares))
    header = ("metric", "prompt through", "range over decodings", "range over methods", *EFFECTS.values())
    title = "How much is decoding, how much is method"
    return Table(name="decoding-or-method", title=title, header=header, rows=rows)


EFFECTS = {"decodings": "decoding", "methods": "method", "both": "both together", "noise": "noise"}


def failures(part: StudyTables) -> Table:
    """A method, prompt mode and decoding a row, a class a column: shares of generations, seeds together."""
    table = part.failures.assign(decoding=part.failures["decoding"].fillna(MISSING))
    classes = list(dict.fromkeys(table["part"]))
    rows: list[tuple[str, ...]] = []
    for place, mine in table.groupby(["label", "prompt_mode", "decoding"], sort=False):
        runs = mine.drop_duplicates("seed")
        texts, failing = int(runs["documents"].sum()), int(runs["failing"].sum())
        counts = mine.groupby("part", sort=False)["value"].sum()
        shares = [_share(int(counts[name]), texts) for name in classes]
        rows.append((*map(str, place), str(texts), _share(failing, texts), *shares))
    rows.sort(key=lambda row: row[2] == MISSING)  # people's texts last
    worded = (name.replace("_", " ") for name in classes)
    header = ("method", "prompt through", "decoding", "texts", "failing", *worded)
    return Table(name="failures", title="How generations fail", header=header, rows=rows)


def _share(number: int, of: int) -> str:
    return value_text(number / of, "share", 0) if of else MISSING


def _size(value: float | None, unit: str) -> str:
    """A range in words, to two digits."""
    if value is None or not present(value):
        return MISSING
    return difference_text(value, unit, decimals(unit, -value, value)).removeprefix("+")


COSTS = {
    "train_seconds": ("training time", "seconds"),
    "supervised_tokens_per_second": ("tokens/s", "count"),
    "peak_memory_bytes": ("peak memory", "bytes"),
    "cuda_allocated_bytes": ("peak GPU memory", "bytes"),
    "optimizer_state_bytes": ("optimizer state", "bytes"),
    "trainable_parameters": ("trainable parameters", "count"),
    "artifact_bytes": ("saved size", "bytes"),
}


def costs(part: StudyTables) -> Table:
    """What a method's evaluated runs cost, mean over seeds; a column that nobody measured is left out."""
    spent = part.costs[(part.costs["phase"] == "confirm") & (part.costs["status"] == "finished")]
    columns = [name for name in COSTS if spent[name].notna().any()]
    rows = []
    for label, mine in spent.groupby("label", sort=False):
        words = [amount(mine[name].mean(), COSTS[name][1]) for name in columns]
        devices = ", ".join(dict.fromkeys(str(device) for device in mine["device"].dropna())) or MISSING
        rows.append((str(label), str(mine["seed"].nunique()), *words, devices))
    header = ("method", "seeds", *(COSTS[name][0] for name in columns), "device")
    return Table(name="costs", title="Costs", header=header, rows=rows)
