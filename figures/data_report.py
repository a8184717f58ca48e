"""What `bakeoff data` shows of a data report: tables for the terminal, one figure, or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from figures.wording.data import training_data_lines
from toolkit.records.data import SPLITS, DataReport, Duplicates, Leak, Refusal, SourceReport
from toolkit.records.files import whole_file

BINS = 24
COLOURS = {"train": "#4477aa", "validation": "#ee6677", "test": "#228833"}
Titled = tuple[str, Table]
Lengths = Mapping[str, Sequence[int]]
"""Split -> length of each of its documents."""


def as_json(report: DataReport, lengths: Lengths, unit: str = "tokens") -> dict[str, Any]:
    """Return the data report as JSON-able values, with the documents' lengths under their unit's name."""
    return {
        **report.model_dump(mode="json"),
        unit: {split: summary(values) for split, values in lengths.items()},
    }


def summary(lengths: Sequence[int]) -> dict[str, Any]:
    """Return mean, median, 90th percentile, longest and a histogram; None without a document."""
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
    """Return a round width with which at most `BINS` bins reach the longest."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if longest // (factor * size) < BINS:
                return factor * size
        size *= 10


def show(report: DataReport, console: Console, lengths: Lengths, unit: str = "tokens") -> None:
    """Print where every row went, the splits, the lengths, the leak report and three documents."""
    licence = f" · licence: {report.license}" if report.license else ""
    console.print(Text(f"{report.dataset} · format {report.format}{licence}", style="bold"))
    tables = [
        _rows(report),
        *([_refused(report.refused)] if report.refused else []),
        *([_changed(report.changed)] if report.changed else []),
        _duplicates(report.duplicates),
        *([_sources(report.sources)] if len(report.sources) > 1 else []),
        _splits(report),
        _lengths(lengths, unit),
        _leak(report.leak),
        _closest(report.leak),
    ]
    for title, table in tables:
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)
    for name, text in training_data_lines(report):
        console.print(Text(f"\n{name}: {text}"))
    for number, text in enumerate(report.samples, start=1):
        console.print(Panel(Text(text), title=f"training document {number}", title_align="left"))


def _table(*columns: str, right: int = 0) -> Table:
    """Return a table whose last ``right`` columns are numbers."""
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number >= len(columns) - right else "left")
    return table


def _rows(report: DataReport) -> Titled:
    rows, sizes = report.rows, report.sizes
    table = _table("", "rows", right=1)
    table.add_row("read", f"{rows.total:,}")
    table.add_row("  filtered out", f"{rows.filtered_out:,}")
    table.add_row("  refused", f"{sum(refusal.count for refusal in report.refused.values()):,}")
    table.add_row("  copies and near-copies of another", f"{rows.accepted - report.documents:,}")
    table.add_row("documents", f"{report.documents:,}")
    for split in SPLITS:
        table.add_row(f"  {split}", f"{getattr(sizes, split):,}")
    table.add_row("  excluded beside a held-out title", f"{sizes.excluded:,}")
    table.add_row("  not needed", f"{sizes.unused:,}")
    return "Where the rows went", table


def _refused(refused: Mapping[str, Refusal]) -> Titled:
    table = _table("reason", "example", "rows", right=1)
    for reason, refusal in refused.items():
        for number, example in enumerate(refusal.examples):
            count = "" if number else f"{refusal.count:,}"
            table.add_row(Text("" if number else reason), Text(example), count)
    return "Refused", table


def _changed(changed: Mapping[str, int]) -> Titled:
    table = _table("", "times", right=1)
    for what, count in changed.items():
        table.add_row(what, f"{count:,}")
    return "Changed in the text", table


def _duplicates(copies: Duplicates) -> Titled:
    policy = "one of each is used" if copies.policy == "drop" else "each on one side of the split"
    title = f"Copies (Jaccard similarity of word triples from {copies.threshold}; {policy})"
    table = _table("", "", right=1)
    table.add_row("exact", f"{copies.exact:,}")
    table.add_row("near-copies", f"{copies.near:,}")
    table.add_row("clusters", f"{copies.clusters:,}")
    table.add_row("largest cluster", f"{copies.largest_cluster:,}")
    for pair in copies.examples:
        table.add_row(Text(" ~ ".join(pair.titles)), f"{pair.similarity:.3f}")
    return title, table


def _sources(sources: Sequence[SourceReport]) -> Titled:
    table = _table("", "format", "read", *SPLITS, right=4)
    for source in sources:
        sizes = [f"{getattr(source.sizes, split):,}" for split in SPLITS]
        table.add_row(source.name, source.format, f"{source.rows.total:,}", *sizes)
    return "Sources", table


def _splits(report: DataReport) -> Titled:
    columns = {"documents": report.sizes, "distinct titles": report.prompts}
    if report.clusters is not None:
        columns["clusters"] = report.clusters
    table = _table("", "fingerprint", *columns, right=len(columns))
    for split in SPLITS:
        counts = [f"{getattr(counted, split):,}" for counted in columns.values()]
        table.add_row(split, report.fingerprints[split], *counts)
    return "Splits", table


def _lengths(lengths: Lengths, unit: str) -> Titled:
    table = _table("", "mean", "median", "p90", "longest", right=4)
    for split, values in lengths.items():
        counted = summary(values)
        cells = [
            "–" if counted[name] is None else f"{counted[name]:,}"
            for name in ("mean", "median", "p90", "longest")
        ]
        table.add_row(split, *cells)
    return f"Length of a document in {unit}", table


def _leak(leaks: Mapping[str, Leak]) -> Titled:
    first = next(iter(leaks.values()))
    thresholds = [f"≥ {threshold}" for threshold in first.at_least]
    runs = [f"≥ {words} words" for words in first.common_words_at_least]
    table = _table(
        *("", "median", "p99", "highest", *thresholds, "longest run", *runs, "titles shared"),
        right=6 + len(thresholds) + len(runs) - 1,
    )
    for split, leak in leaks.items():
        cells = [leak.percentiles.get("50"), leak.percentiles.get("99"), leak.highest]
        table.add_row(
            split,
            *("–" if cell is None else f"{cell:.3f}" for cell in cells),
            *(f"{count:,}" for count in leak.at_least.values()),
            "under 8" if leak.longest_common_words is None else str(leak.longest_common_words),
            *(f"{count:,}" for count in leak.common_words_at_least.values()),
            f"{leak.shared_titles:,}",
        )
    return "Similarity to the closest training document, and the longest run of words in common", table


def _closest(leaks: Mapping[str, Leak]) -> Titled:
    table = _table("split", "held out", "trained on", "similarity", right=1)
    for split, leak in leaks.items():
        for pair in leak.closest:
            table.add_row(split, Text(pair.held_out), Text(pair.train), f"{pair.similarity:.3f}")
    return "Closest pairs", table


def draw(report: DataReport, stem: Path, lengths: Lengths, unit: str = "tokens") -> list[Path]:
    """Write the figure of lengths and similarity to training as PDF, PNG and SVG, with the CSV behind it."""
    import csv

    from figures.style import drawn, save

    files = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("pdf", "png", "svg", "csv")]
    save(drawn(lambda: _figure(lengths, unit, report.leak)), stem)
    with whole_file(files[-1]) as neighbour, neighbour.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(["panel", "split", "from", "to", "documents"])
        for split, edges, counts in _bars(lengths):
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
                out.writerow([unit, split, low, high, count])
        for split, leak in report.leak.items():
            bins = len(leak.histogram)
            for number, count in enumerate(leak.histogram):
                out.writerow(["similarity", split, number / bins, (number + 1) / bins, count])
    return files


def _bars(lengths: Lengths) -> list[tuple[str, list[int], list[int]]]:
    """Return split, bin edges, documents per bin; the bins are the same for all splits."""
    longest = max((max(values) for values in lengths.values() if values), default=0)
    step = _step(longest)
    edges = list(range(0, longest + step + 1, step))
    bars = []
    for split, values in lengths.items():
        counts = Counter(length // step for length in values)
        bars.append((split, edges[: longest // step + 2], [counts[n] for n in range(longest // step + 1)]))
    return bars


def _figure(lengths: Lengths, unit: str, leaks: Mapping[str, Leak]) -> Any:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.0, 2.6), layout="constrained")
    for split, edges, counts in _bars(lengths):
        total = sum(counts)
        if total:
            shares = [count / total for count in counts]
            left.stairs(
                shares, edges, label=f"{split} (n = {total:,})", color=COLOURS.get(split), linewidth=1.4
            )
    left.set(xlabel=f"{unit} per document", ylabel="share of documents", title="Length")
    left.legend()
    for split, leak in leaks.items():
        bins, total = len(leak.histogram), max(1, leak.held_out)
        edges_ = [number / bins for number in range(bins + 1)]
        shares = [count / total for count in leak.histogram]
        right.stairs(shares, edges_, label=f"{split} (n = {leak.held_out:,})", color=COLOURS[split])
    right.set(xlabel="Jaccard similarity to the closest training document", title="Leak", xlim=(0, 1))
    right.set_ylabel("share of documents")
    right.legend()
    return figure
