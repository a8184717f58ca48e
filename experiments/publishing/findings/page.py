"""docs/findings.md: the answer, every published finding, every study that was run, and what was not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from experiments.analysis.recommend import choose
from experiments.design import study as studies_of
from experiments.design.findings import PublishedFinding, published_findings
from experiments.publishing.board import page as board_page
from experiments.publishing.board.rows import STUDY, rows_of, without_value
from experiments.publishing.findings import across, headline
from experiments.publishing.findings.judged import (
    Judged,
    decoding_words,
    judged,
    left_out,
    rates_words,
    status_words,
)
from experiments.publishing.findings.opening import opening
from experiments.publishing.kept import Kept
from figures.tables.table import Table
from figures.wording.answer import answer, limits
from figures.wording.evidence import evidence_text, looks_text, recommendation_text
from figures.wording.names import condition_label, count, joined
from figures.wording.pairs import confidence_text, metric_labels, untuned_methods
from toolkit.records import BASE, Conclusions, Condition

BY_HAND = re.compile(r"<!-- by hand: (\w+) -->\n(.*?)\n<!-- end -->", re.DOTALL)
"""What the page keeps of its older version, by name."""
WRITTEN = (
    "This page is written by `python -m experiments.publishing` from the records in `experiments/results`, "
    "except for *How sure this is* and *What else we learnt*, whose numbers are from the reports and logs of "
    "the studies they name, or are said not to be kept. A difference is a method's value minus its "
    "baseline's.\n\n"
    "The command at the end of a section trains its runs again and repeats its numbers, in the environment "
    "of `make setup` (`.venv/bin/bakeoff`). Without training, `bakeoff import` restores the records "
    "(`experiments/results/NOTICE.md`), and `bakeoff report STUDY` prints every verdict again."
)
TERMS = (
    "*Bits per byte*: how many bits the model needs for one byte of held-out text. *Content*: the text of "
    "the sections, without markers such as `RECIPE:`. 95 % intervals are in parentheses: over seeds and "
    "documents for quality, over seeds for costs. *Equivalent*: the whole interval lies within the margin, "
    "1 % of bits per byte. *Worse*: the whole interval is on the worse side of zero, and p, corrected for "
    "all comparisons of the study, is below 0.05. *By more than the margin*: the whole interval is beyond "
    "the margin as well. *Undecided*: none of these "
    "([how verdicts work](verdicts.md))."
)
ALONE = (
    "Many studies share runs, so the same pair of methods may be compared in several of them. Intervals and "
    "verdicts may then differ: a study estimates how much seeds vary from all its methods, and corrects for "
    "all its comparisons. Trust the study with the most seeds. What a study *could detect* is more than its "
    "intervals suggest: to be detected with 80 % power, after the correction for all comparisons, a "
    "difference has to be several times as large, since few seeds tell little about how much seeds vary. "
    "*Alone* marks what a study would recommend without the others: the best mean among its own methods, or "
    "a method that is clearly cheaper and within the margin of it."
)

AT_ONCE = (
    "The command below runs this size at once: the same values, but intervals of 95 % for a single look."
)


def page(kept: Mapping[str, Kept], pictures: Mapping[str, Sequence[str]], before: str) -> str:
    """Return the page.

    ``pictures``: study -> paths of its figures, relative to the page. ``before``: the page as it is now,
    whose part that is written by hand is kept.
    """
    concluded = {name: one.conclusions for name, one in kept.items()}
    by_hand = dict(BY_HAND.findall(before))
    parts = ["# Findings", *opening(kept), *_table(kept)]
    parts += ["## How sure this is", _kept(by_hand, "sure"), WRITTEN]
    parts += ["## Published findings", _overview(concluded).markdown()]
    for published in published_findings():
        parts += _finding(published, judged(published, concluded), kept)
    parts += ["## What each study answered", ALONE]
    for name, one in kept.items():
        parts += _study(name, one, pictures.get(name, ()))
    if not concluded:
        parts.append("None has been run and kept yet.")
    parts += ["## What failed", _lost(concluded), "## Not kept yet", _not_run(kept)]
    parts += ["## What else we learnt", _kept(by_hand, "learnt")]
    return "\n\n".join(parts) + "\n"


def _table(kept: Mapping[str, Kept]) -> list[str]:
    """LoRA and full fine-tuning in every study, then the headline in full, with what the words mean."""
    everywhere = across.table(kept)
    parts = [everywhere.markdown(), across.NOTE] if everywhere else []
    shown = headline.table(kept[headline.HEADLINE]) if headline.HEADLINE in kept else None
    if shown:
        command = kept[headline.HEADLINE].command
        parts += [f"The main study in full (`{command}`):", shown.markdown(), TERMS]
    return parts


def _kept(by_hand: Mapping[str, str], name: str) -> str:
    return f"<!-- by hand: {name} -->\n{by_hand.get(name, '')}\n<!-- end -->"


def _overview(concluded: Mapping[str, Conclusions]) -> Table:
    rows: list[tuple[str, ...]] = []
    for published in published_findings():
        entries = judged(published, concluded)
        methods = list(dict.fromkeys(pair.method for pair in published.pairs))
        names = ", ".join(dict.fromkeys(entry.study for entry in entries))
        sizes = sorted({entry.claim.train_size or 0 for entry in entries})
        nowhere = [name for name in methods if all(name in left_out(published, e.claim) for e in entries)]
        rest = f", without {joined(nowhere)}" if entries and nowhere else ""
        rows.append(
            (
                published.text,
                published.source,
                status_words(entries) + rest,
                ", ".join(map(str, sizes)),
                names,
            )
        )
    header = ("finding", "source", "result here", "training documents", "judged by")
    return Table("findings", "Findings", header, rows)


def _finding(published: PublishedFinding, entries: Sequence[Judged], kept: Mapping[str, Kept]) -> list[str]:
    parts = [f"### {published.text}"]
    if not entries:
        names = [name for name in bundled() if published.name in studies_of.load(name).claims]
        commands = " or ".join(f"`bakeoff run {name}`" for name in names)
        return [*parts, f"Not run yet; judged by {commands}."]
    lines = []
    for study, claim in entries:
        among = kept[study].conclusions.conditions
        size = "" if claim.train_size is None else f", {count(claim.train_size, 'training document')}"
        where = condition_label(claim.condition, among) if len(among) > 1 else f"{claim.base_model}{size}"
        confidence = confidence_text(kept[study].conclusions)
        level = "" if confidence == "95 %" else f" (intervals of {confidence})"
        without = left_out(published, claim)
        rest = f"; not in this study: {joined(without)}" if without else ""
        lines.append(
            f"- {claim.verdict} by `{kept[study].command}` ({where}): {evidence_text(claim)}{level}{rest}"
        )
    return [*parts, "\n".join(lines)]


def _study(name: str, kept: Kept, pictures: Sequence[str]) -> list[str]:
    conclusions = kept.conclusions
    parts = [f"### `{name}`: {conclusions.question}" if conclusions.question else f"### `{name}`"]
    for condition in conclusions.conditions:
        words = " ".join(_answer(name, kept, condition))
        several = len(conclusions.conditions) > 1
        where = f"{condition_label(condition, conclusions.conditions)}: " if several else ""
        parts.append(f"{where}{words}")
        seeds = {e.seeds for e in conclusions.estimates if e.condition == condition and e.method != BASE}
        chosen = [one for one in conclusions.recommendations if one.condition == condition and seeds != {1}]
        raw = untuned_methods(conclusions, condition)
        for one in chosen:
            words = recommendation_text(choose(one, "memory"), [condition], raw, metric_labels(conclusions))
            alone = name != headline.HEADLINE and words.startswith("Use ")
            parts.append(f"Alone, u{words[1:]}" if alone else words)
    if conclusions.sequential:
        parts.append(f"{looks_text(conclusions.sequential)} {AT_ONCE}")
    effects = decoding_words(conclusions)
    if effects:
        parts.append("\n".join(f"- {words}" for words in effects))
    parts += [f"![{conclusions.question or name}]({picture})" for picture in pictures]
    report = f"its report is `experiments/results/{name}/report/report.md`"
    left = f" Not run yet: {joined([f'`{one}`' for one in kept.missing])}." if kept.missing else ""
    return [*parts, f"`{kept.command}`: {_spent(kept)}; {report}.{left}"]


def _answer(name: str, kept: Kept, condition: Condition) -> list[str]:
    """The sentences of a condition; of the board by its own rule of what may be called better."""
    conclusions = kept.conclusions
    if name == STUDY:
        rows, lost = rows_of(kept, condition), without_value(kept, condition)
        if any(row.method == conclusions.baseline for row in rows):
            return [board_page.answer(rows, conclusions.baseline, lost), *limits(conclusions, condition)]
    return [*rates_words(conclusions, condition), *answer(conclusions, condition)]


def _spent(kept: Kept) -> str:
    """How many runs, and what their training and validation took, evaluations not counted."""
    there = dict.fromkeys(cell.run_id for cell in kept.conclusions.cells if cell.run_id in kept.runs)
    costs = [kept.runs[run_id].costs for run_id in there]
    seconds = sum((one.train_seconds or 0.0) + (one.validate_seconds or 0.0) for one in costs)
    devices = sorted({str(run.environment.get("device")) for run in kept.runs.values()})
    hours = f"{seconds / 3600:.1f} hours of training and validation"
    return f"{count(len(costs), 'run')}, {hours} on {joined(devices)}"


def _lost(concluded: Mapping[str, Conclusions]) -> str:
    studies: dict[str, dict[str, None]] = {}
    for name, conclusions in concluded.items():
        for cell in conclusions.cells:
            if cell.status != "finished" and cell.learning_rate is not None:
                size = "" if cell.train_size is None else f", {count(cell.train_size, 'training document')}"
                line = f"- `{cell.method}` at {cell.learning_rate:g}{size}, seed {cell.seed}: {cell.status}"
                line += f" ({cell.error})" if cell.error else ""
                studies.setdefault(line, {})[f"`{name}`"] = None
    return (
        "\n".join(f"{line}, in {joined(list(of))}" for line, of in studies.items())
        or "No run of a kept study failed or diverged."
    )


def _not_run(kept: Mapping[str, Kept]) -> str:
    names = [name for name in bundled() if name not in kept]
    lines = [f"- `bakeoff run {name}`: {studies_of.load(name).question}" for name in names]
    lines += [f"- `bakeoff run {name}`: {_left(one)}" for name, one in kept.items() if one.overrides]
    return "\n".join(lines) or f"All {len(bundled())} studies that come with bakeoff were run."


def _left(kept: Kept) -> str:
    """What a part of a study lacks, or the command of what is there."""
    names = joined([f"`{name}`" for name in kept.missing])
    return f"still without {names}" if names else f"only `{kept.command}` was run"


def bundled() -> list[str]:
    """Return the names of the studies that come with bakeoff."""
    return sorted(path.stem for path in studies_of.STUDIES.glob("*.yaml"))
