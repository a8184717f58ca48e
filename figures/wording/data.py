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
    lines += training_data_lines(report)
    return [*lines, ("first training documents", "\n\n".join(report.samples))]


def training_data_lines(report: DataReport) -> list[tuple[str, str]]:
    """Return one line of name and value per method from elsewhere whose training data is given."""
    return [
        (
            f"training data of {method}",
            f"{trained.documents:,} documents; {trained.refused:,} rows refused; {trained.copies:,} of "
            f"{trained.leak.held_out:,} test documents have a copy or near-copy in it (similarity from "
            f"{trained.threshold:g}), {trained.exact:,} of them word for word",
        )
        for method, trained in report.trained_on.items()
    ]


def _by_split(counts: Sizes | SplitCounts) -> str:
    return "; ".join(f"{split} {getattr(counts, split):,}" for split in SPLITS)


def _refusal(refusal: Refusal) -> str:
    example = f", for example {refusal.examples[0]}" if refusal.examples else ""
    return f"{refusal.count:,}{example}"
