"""What `bakeoff data` shows of a prepared data set: tables for the terminal, one figure, or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

PARTS = ("train", "validation", "test")
BINS = 24
COLOURS = {"train": "#4477aa", "validation": "#ee6677", "test": "#228833"}
Titled = tuple[str, Table]
Lengths = Mapping[str, Sequence[int]]
"""Part -> length of each of its documents."""


class Prepared(Protocol):
    """A prepared data set: what `bakeoff data` shows of it."""

    train: Sequence[str]
    validation: Sequence[str]
    test: Sequence[str]
    report: dict[str, Any]


def as_json(prepared: Prepared, lengths: Lengths | None = None, unit: str = "tokens") -> dict[str, Any]:
    """The data report, with the lengths of the documents in another unit where they are given."""
    if lengths is None:
        return dict(prepared.report)
    return {**prepared.report, unit: {part: summary(values) for part, values in lengths.items()}}


def summary(lengths: Sequence[int]) -> dict[str, Any]:
    """Mean, median, 90th percentile, longest and a histogram; None where there is no document."""
    ordered = sorted(lengths)
    if not ordered:
        return {"mean": None, "median": None, "p90": None, "longest": None, "step": None, "histogram": []}
    step = _step(ordered[-1])
    counts = Counter(length // step for length in ordered)
    return {
        "mean": round(sum(ordered) / len(ordered), 1),
        "median": ordered[(len(ordered) - 1) // 2],
        "p90": ordered[(9 * len(ordered) - 1) // 10],
        "longest": ordered[-1],
        "step": step,
        "histogram": [counts[number] for number in range(ordered[-1] // step + 1)],
    }


def _step(longest: int) -> int:
    """A round width with which at most `BINS` bins reach the longest."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if longest // (factor * size) < BINS:
                return factor * size
        size *= 10


def show(prepared: Prepared, console: Console, lengths: Lengths | None = None, unit: str = "tokens") -> None:
    """Print where every row went, the parts, the lengths, the leak report and three documents."""
    said = prepared.report
    licence = f" · licence: {said['license']}" if said["license"] else ""
    console.print(Text(f"{said['dataset']} · format {said['format']}{licence}", style="bold"))
    counted = lengths or {part: [len(text) for text in getattr(prepared, part)] for part in PARTS}
    tables = [
        _rows(said),
        *([_refused(said["refused"])] if said["refused"] else []),
        *([_mended(said["mended"])] if said["mended"] else []),
        _duplicates(said["duplicates"]),
        *([_sources(said["sources"])] if len(said["sources"]) > 1 else []),
        _parts(said),
        _lengths(counted, unit if lengths else "characters"),
        _leak(said["leak"]),
        _closest(said["leak"]),
    ]
    for title, table in tables:
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)
    for number, text in enumerate(said["samples"], start=1):
        console.print(Panel(Text(text), title=f"training document {number}", title_align="left"))


def _table(*columns: str, right: int = 0) -> Table:
    """A table whose last ``right`` columns are numbers."""
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number >= len(columns) - right else "left")
    return table


def _rows(said: Mapping[str, Any]) -> Titled:
    rows, sizes = said["rows"], said["sizes"]
    refused = sum(found["count"] for found in said["refused"].values())
    table = _table("", "rows", right=1)
    table.add_row("read", f"{rows['read']:,}")
    table.add_row("  filtered out", f"{rows['filtered_out']:,}")
    table.add_row("  refused", f"{refused:,}")
    table.add_row("  copies and near-copies of another", f"{rows['accepted'] - said['documents']:,}")
    table.add_row("documents", f"{said['documents']:,}")
    for part in PARTS:
        table.add_row(f"  {part}", f"{sizes[part]:,}")
    table.add_row("  held back beside a held-out title", f"{sizes['held_back']:,}")
    table.add_row("  not asked for", f"{sizes['unused']:,}")
    return "Where the rows went", table


def _refused(refused: Mapping[str, Any]) -> Titled:
    table = _table("reason", "example", "rows", right=1)
    for reason, found in refused.items():
        for number, example in enumerate(found["examples"]):
            table.add_row(
                Text("" if number else reason), Text(example), "" if number else f"{found['count']:,}"
            )
    return "Refused", table


def _mended(mended: Mapping[str, int]) -> Titled:
    table = _table("", "times", right=1)
    for what, count in mended.items():
        table.add_row(what, f"{count:,}")
    return "Mended", table


def _duplicates(found: Mapping[str, Any]) -> Titled:
    kept = "one kept of each" if found["policy"] == "drop" else "each on one side of the split"
    title = f"Copies (Jaccard similarity of word triples from {found['threshold']}; {kept})"
    table = _table("", "", right=1)
    table.add_row("letter by letter", f"{found['exact']:,}")
    table.add_row("near-copies", f"{found['near']:,}")
    table.add_row("clusters", f"{found['clusters']:,}")
    table.add_row("largest cluster", f"{found['largest_cluster']:,}")
    for pair in found["examples"]:
        table.add_row(Text(f"{pair['one']} ~ {pair['other']}"), f"{pair['similarity']:.3f}")
    return title, table


def _sources(sources: Sequence[Mapping[str, Any]]) -> Titled:
    table = _table("", "format", "read", *PARTS, right=4)
    for source in sources:
        sizes = [f"{source['sizes'][part]:,}" for part in PARTS]
        table.add_row(source["name"], source["format"], f"{source['rows']['read']:,}", *sizes)
    return "Sources", table


def _parts(said: Mapping[str, Any]) -> Titled:
    table = _table("", "fingerprint", "documents", right=1)
    for part in PARTS:
        table.add_row(part, said["fingerprints"][part], f"{said['sizes'][part]:,}")
    return "Parts", table


def _lengths(lengths: Lengths, unit: str) -> Titled:
    table = _table("", "mean", "median", "p90", "longest", right=4)
    for part, values in lengths.items():
        facts = summary(values)
        cells = [
            "–" if facts[name] is None else f"{facts[name]:,}"
            for name in ("mean", "median", "p90", "longest")
        ]
        table.add_row(part, *cells)
    return f"Length of a document in {unit}", table


def _leak(leak: Mapping[str, Any]) -> Titled:
    first = next(iter(leak.values()))
    thresholds = [f"≥ {threshold}" for threshold in first["at_least"]]
    runs = [f"≥ {words} words" for words in first["common_words_at_least"]]
    table = _table(
        *("", "median", "p99", "highest", *thresholds, "longest run", *runs, "titles shared"),
        right=6 + len(thresholds) + len(runs) - 1,
    )
    for part, found in leak.items():
        run = found["longest_common_words"]
        cells = [found["percentiles"].get("50"), found["percentiles"].get("99"), found["highest"]]
        table.add_row(
            part,
            *("–" if cell is None else f"{cell:.3f}" for cell in cells),
            *(f"{count:,}" for count in found["at_least"].values()),
            "under 8" if run is None else str(run),
            *(f"{count:,}" for count in found["common_words_at_least"].values()),
            f"{found['shared_titles']:,}",
        )
    return "Similarity to the closest training document, and the longest run of words in common", table


def _closest(leak: Mapping[str, Any]) -> Titled:
    table = _table("part", "held out", "trained on", "similarity", right=1)
    for part, found in leak.items():
        for pair in found["closest"]:
            table.add_row(part, Text(pair["held_out"]), Text(pair["train"]), f"{pair['similarity']:.3f}")
    return "Closest pairs", table


def draw(prepared: Prepared, stem: Path, lengths: Lengths | None = None, unit: str = "tokens") -> list[Path]:
    """Write the figure of lengths and of similarity to training as PDF and PNG, with the CSV behind it."""
    import csv

    from figures.style import drawn, save

    counted = lengths or {part: [len(text) for text in getattr(prepared, part)] for part in PARTS}
    unit = unit if lengths else "characters"
    leak = prepared.report["leak"]
    save(drawn(lambda: _figure(counted, unit, leak)), stem)
    with stem.with_suffix(".csv").open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(["panel", "part", "from", "to", "documents"])
        for part, edges, counts in _bars(counted):
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                out.writerow([unit, part, low, high, count])
        for part, found in leak.items():
            bins = len(found["histogram"])
            for number, count in enumerate(found["histogram"]):
                out.writerow(["similarity", part, number / bins, (number + 1) / bins, count])
    return [stem.with_suffix(suffix) for suffix in (".pdf", ".png", ".csv")]


def _bars(lengths: Lengths) -> list[tuple[str, list[int], list[int]]]:
    """Part, bin edges, documents a bin; the bins are the same for all parts."""
    longest = max((max(values) for values in lengths.values() if values), default=0)
    step = _step(longest)
    edges = list(range(0, longest + step + 1, step))
    bars = []
    for part, values in lengths.items():
        counts = Counter(length // step for length in values)
        bars.append((part, edges[: longest // step + 2], [counts[n] for n in range(longest // step + 1)]))
    return bars


def _figure(lengths: Lengths, unit: str, leak: Mapping[str, Any]) -> Any:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 2.6), layout="constrained")
    for part, edges, counts in _bars(lengths):
        total = sum(counts)
        if total:
            left.stairs(
                [count / total for count in counts], edges, label=f"{part} (n = {total:,})", linewidth=1.4
            )
    left.set(xlabel=f"{unit} a document", ylabel="share of documents", title="Length")
    left.legend()
    for part, found in leak.items():
        bins, total = len(found["histogram"]), max(1, found["held_out"])
        edges_ = [number / bins for number in range(bins + 1)]
        shares = [count / total for count in found["histogram"]]
        right.stairs(shares, edges_, label=f"{part} (n = {found['held_out']:,})", color=COLOURS[part])
    right.set(xlabel="Jaccard similarity to the closest training document", title="Leak", xlim=(0, 1))
    right.set_ylabel("share of documents")
    right.legend()
    return figure
