"""docs/performance.md, written from the parts' results; no number is typed by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.bench.performance.parts import PARTS, Part
from experiments.bench.performance.pictures import picture
from experiments.bench.performance.results import PartResult
from experiments.bench.performance.sections import SECTIONS, Section
from experiments.bench.performance.tables import Row
from toolkit.records.files import write_text

PAGE = """# Performance

Speed and memory, against a baseline or as something grows. Written by `bakeoff bench all`; no number is typed
by hand. Each side is measured in its own process. *Of a matrix product*: operations per second while
training, as a share of what a matrix product alone reaches on the machine. Results: `{folder}`{others}.

{machine}

{sections}
## Not measured

{missing}
"""
UNMEASURED = """Nothing is measured yet. `bakeoff bench all` measures what follows, about {hours:.0f} hours on
two CPU cores (an estimate), and writes this page; stopped, the same command continues."""


def write(
    page: Path, folder: Path, results: Mapping[str, PartResult], failures: Mapping[str, str] | None = None
) -> None:
    """Write the page and, into a folder beside it, a figure per section.

    ``failures`` are why parts have no result, by the part's name; others without one are not measured yet.
    """
    write_text(page, text(page, folder, results, failures or {}))


def text(
    page: Path,
    folder: Path,
    results: Mapping[str, PartResult],
    failures: Mapping[str, str],
    parts: Sequence[Part] = PARTS,
) -> str:
    """Return the page's text, and draw its figures."""
    missing = [part for part in parts if part.name not in results]
    return PAGE.format(
        folder=folder.as_posix(),
        others=", with those of other machines beside it" if _several(results) else "",
        machine=machine_text(list(results.values())) if results else _unmeasured(),
        sections=sections_text(results, page),
        missing="\n".join(_missing(part, failures.get(part.name)) for part in missing)
        or "Nothing is missing.",
    )


def sections_text(results: Mapping[str, PartResult], page: Path) -> str:
    """Return a section for each bench with a result, and draw its figure."""
    several = _several(results)
    return "".join(
        _section(section, found, page, on=found[0].device if several else None)
        for section in SECTIONS
        if (found := [results[name] for name in section.parts if name in results])
    )


def _unmeasured() -> str:
    return UNMEASURED.format(hours=sum(part.minutes for part in PARTS) / 60)


def machine_text(results: Sequence[PartResult]) -> str:
    """Return machine, versions and dates as a list, each different one once."""
    lines = []
    if any(map(_is_trial, results)):
        lines.append("- A trial at toy size: its numbers mean nothing.")
    for label, values in (
        ("Machine", [f"{r.device}, {r.environment['memory_bytes'] / 1e9:.0f} GB" for r in results]),
        ("System", [f"{r.environment['system']}, Python {r.environment['python']}" for r in results]),
        ("Threads", [str(r.environment["threads"]) for r in results]),
        ("Versions", [_versions(r) for r in results]),
        ("Date", sorted(r.date[:10] for r in results)),
    ):
        lines.append(f"- {label}: {'; '.join(dict.fromkeys(values))}")
    return "\n".join(lines)


def _is_trial(result: PartResult) -> bool:
    return any(part.name == result.part and part.command(True) == result.command for part in PARTS)


def _versions(result: PartResult) -> str:
    versions = result.environment["versions"]
    cuda = f", CUDA {result.environment['cuda']}" if result.environment.get("cuda") else ""
    names = ("bakeoff", "torch", "transformers", "peft", "numpy")
    return ", ".join(f"{name} {versions[name]}" for name in names if name in versions) + cuda


def _several(results: Mapping[str, PartResult]) -> bool:
    return len({result.device for result in results.values()}) > 1


def _section(section: Section, results: Sequence[PartResult], page: Path, on: str | None) -> str:
    figure = picture(section, results, page.with_suffix(""))
    repeats = results[0].measured.get("repeats")
    times = "Measured once" if repeats in (None, 1) else f"Medians of {repeats} repetitions"
    commands = ", ".join(f"`bakeoff {' '.join(result.command)}`" for result in results)
    left_out = [value for result in results for value in result.measured.get("not_measured", ())]
    more = f". Not measured on this machine: {', '.join(left_out)}" if left_out else ""
    where = "" if on is None else f" on {on}"
    note = f"{found}\n\n" if (found := section.note(results)) else ""
    link = os.path.relpath(figure, page.parent)
    return (
        f"## {section.title}\n\n{section.text} {times}{where}, by {commands}{more}.\n\n"
        f"![{section.title}]({Path(link).as_posix()})\n\n{table(section.table(results))}\n\n{note}"
    )


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table, the first as its heads."""
    head, *rest = rows
    lines = [head, tuple("---" for _ in head), *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _missing(part: Part, failure: str | None) -> str:
    why = f": {failure}" if failure else ""
    return f"- `bakeoff {' '.join(part.command(False))}`{why}"
