"""A data report as lines of name and value."""

from __future__ import annotations

from toolkit.records.data import SPLITS, DataReport, Refusal


def data_lines(report: DataReport) -> list[tuple[str, str]]:
    """Return the report as lines of name and value, for a page."""
    rows, copies, sizes = report.rows, report.duplicates, report.sizes
    lines = [
        ("rows", f"{rows.total:,} read; {rows.filtered_out:,} filtered out; {rows.accepted:,} accepted"),
        *((f"refused: {reason}", _refusal(refusal)) for reason, refusal in report.refused.items()),
        *((f"changed: {what}", f"{count:,}") for what, count in report.changed.items()),
        ("copies", f"{copies.exact:,} exact; {copies.near:,} near; {copies.clusters:,} clusters"),
        ("documents", f"{report.documents:,}"),
        ("splits", "; ".join(f"{split} {getattr(sizes, split):,}" for split in SPLITS)),
        ("in no split", f"{sizes.excluded:,} excluded beside a held-out title; {sizes.unused:,} not needed"),
        ("distinct titles", "; ".join(f"{split} {getattr(report.prompts, split):,}" for split in SPLITS)),
        *((f"fingerprint: {split}", value) for split, value in report.fingerprints.items()),
    ]
    for split, leak in report.leak.items():
        highest = "none" if leak.highest is None else f"{leak.highest:.3f}"
        shared = f"{leak.shared_titles:,} titles shared"
        lines.append((f"similarity to training: {split}", f"highest {highest}; {shared}"))
        if leak.longest_common_text:
            lines.append((f"longest run of words in training: {split}", leak.longest_common_text))
    return [*lines, ("first training documents", "\n\n".join(report.samples))]


def _refusal(refusal: Refusal) -> str:
    example = f", for example {refusal.examples[0]}" if refusal.examples else ""
    return f"{refusal.count:,}{example}"
