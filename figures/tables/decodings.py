"""Tables of prompts and decodings: values at each, and how much they explain."""

from __future__ import annotations

from figures.tables.scores import with_interval
from figures.tables.table import Table, with_untuned
from figures.tidy.frames import rows as rows_of
from figures.tidy.load import StudyTables
from figures.wording.names import MISSING, decimals, difference_text, present, value_text

EFFECTS = {"decodings": "decoding", "methods": "method", "both": "both together", "noise": "noise"}


def settings(part: StudyTables) -> Table:
    """A metric, prompt mode and decoding a row, a method a column; the headline's metrics first."""
    lead = {metric: place for place, metric in enumerate(part.conclusions.headline)}
    table = with_untuned(part.settings).assign(rank=part.settings["metric"].map(lead).fillna(len(lead)))
    labels = list(dict.fromkeys(table["label"]))
    rows = []
    table = table.sort_values("rank", kind="stable")
    for (_, mode), of_metric in table.groupby(["metric", "prompt_mode"], sort=False):
        for decoding, here in of_metric.sort_values("order", kind="stable").groupby("decoding", sort=False):
            cells = {row["label"]: with_interval(row) for row in rows_of(here)}
            words = [cells.get(label, MISSING) for label in labels]
            rows.append((str(of_metric["metric_label"].iloc[0]), str(mode), str(decoding), *words))
    header = ("metric", "prompt through", "decoding", *labels)
    names = [
        "method",
        "label",
        "untuned",
        "prompt_mode",
        "decoding",
        "metric",
        "unit",
        "value",
        "low",
        "high",
    ]
    names += ["seeds", "documents"]
    return Table(
        name="settings", title="Every prompt and decoding", header=header, rows=rows, numbers=table[names]
    )


def effects(part: StudyTables) -> Table:
    """How far a metric moves over decodings and over methods, and the shares of its differences."""
    rows = []
    for row in rows_of(part.effects[part.effects["over_decodings"].notna()]):
        moves = [_size(row[name], row["unit"]) for name in ("over_decodings", "over_methods")]
        shares = [value_text(row[f"share_{name}"], "share", 0) for name in EFFECTS]
        rows.append((row["metric_label"], row["prompt_mode"], *moves, *shares))
    header = ("metric", "prompt through", "range over decodings", "range over methods", *EFFECTS.values())
    title = "How much is decoding, how much is method"
    names = ["prompt_mode", "metric", "unit", "documents", "over_decodings", "over_methods"]
    numbers = part.effects[[*names, *(f"share_{name}" for name in EFFECTS)]]
    return Table(name="decoding-or-method", title=title, header=header, rows=rows, numbers=numbers)


def _size(value: float | None, unit: str) -> str:
    """A range in words, to two digits."""
    if value is None or not present(value):
        return MISSING
    return difference_text(value, unit, decimals(unit, -value, value)).removeprefix("+")
