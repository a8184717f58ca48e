"""A data report as lines of name and value."""

from __future__ import annotations

from toolkit.records.data import SPLITS, DataReport, Refusal, Sizes, SplitCounts


def data_lines(report: DataReport) -> list[tuple[str, str]]:
    """Return the report as lines of name and value, for a page."""
    rows, copies, sizes = report.rows, report.duplicates, report.sizes
    lines = [
        ("rows", f"{rows.total:,} read; {rows.filtered_out:,} filtered out; {rows.accepted:,} accepted"),
        *((f"refused: {reason}", _refusal(refusal)) for reason, refusal in report.refused.items()),
        *((f"changed: {what}", f"{count:,}") for what, count in report.changed.items()),
        ("copies", f"{copies.exact:,} exact; {copies.near:,} near; {copies.clusters:,} clusters"),
        ("documents", f"{report.documents:,}"),
        ("splits", _by_split(sizes)),
        ("in no split", f"{sizes.excluded:,} excluded beside a held-out title; {sizes.unused:,} not needed"),
        ("distinct titles", _by_split(report.prompts)),
        *([] if report.clusters is None else [("clusters of documents", _by_split(report.clusters))]),
        *((f"fingerprint: {split}", value) for split, value in report.fingerprints.items()),
    ]
    for split, leak in report.leak.items():
        highest = "none" if leak.highest is None else f"{leak.highest:.3f}"
        shared = f"{leak.shared_titles:,} titles shared"
        lines.append((f"similarity to training: {split}", f"highest {highest}; {shared}"))
        if leak.longest_common_text:
            lines.append((f"longest run of words in training: {split}", leak.longest_common_text))
    return [*lines, ("first training documents", "\n\n".join(report.samples))]


def _by_split(counts: Sizes | SplitCounts) -> str:
    return "; ".join(f"{split} {getattr(counts, split):,}" for split in SPLITS)


def _refusal(refusal: Refusal) -> str:
    example = f", for example {refusal.examples[0]}" if refusal.examples else ""
    return f"{refusal.count:,}{example}"
