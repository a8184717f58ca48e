"""The structure checks, derived from a format: what a well-formed document does."""

from __future__ import annotations

from eval.metrics.base import Context, Floats, RatioMetric
from toolkit.data.format import find_markers, section_bodies
from toolkit.records import Outcome
from toolkit.specs import AnyFormat

SIGNATURE = "checks:present,once,not-empty,in-order,nothing-after-end,stopped|text:prompt+written"


def check_names(form: AnyFormat) -> list[str]:
    """Names of the checks, in the order of `check_structure`."""
    sections = [section.name for section in form.sections]
    return [
        *(f"{name} present" for name in sections),
        *(f"{name} once" for name in sections),
        *(f"{name} not empty" for name in sections),
        "in order",
        "end present",
        "end once",
        "nothing after end",
        "stopped by itself",
    ]


def check_structure(text: str, form: AnyFormat, stopped: bool) -> dict[str, bool | None]:
    """Check by name -> passed or failed; None where it can't be made because a marker is missing.

    So each check fails alone on a text that is broken in that one way, and a text without markers does not
    pass the checks that ask for what it lacks.
    """
    found = find_markers(text, form)
    first: dict[str, int] = {}
    for place, (marker, _) in enumerate(found):
        first.setdefault(marker, place)
    bodies = section_bodies(text, form)
    there = {section.name: section.marker in first for section in form.sections}
    counts = {marker: sum(m == marker for m, _ in found) for marker in first}
    order = [first[marker] for marker in (*form.markers, form.end) if marker in first]

    checks: dict[str, bool | None] = {f"{name} present": present for name, present in there.items()}
    for section in form.sections:
        checks[f"{section.name} once"] = counts[section.marker] == 1 if there[section.name] else None
    for section in form.sections:
        checks[f"{section.name} not empty"] = bool(bodies[section.name]) if there[section.name] else None
    checks["in order"] = order == sorted(order) if len(order) > 1 else None
    ended = form.end in first
    checks["end present"] = ended
    checks["end once"] = counts[form.end] == 1 if ended else None
    checks["nothing after end"] = not text_after_end(text, form) if ended else None
    checks["stopped by itself"] = stopped
    return checks


def checked(outcome: Outcome, context: Context) -> dict[str, bool | None] | None:
    """The checks of the prompt and what was written after it; None without a generation."""
    generation = context.generation(outcome)
    if generation is None:
        return None
    return check_structure(generation.document, context.form, generation.ended == "end_of_text")


def failures(checks: dict[str, bool | None]) -> list[float]:
    """1 for each check that failed, in order."""
    return [float(passed is False) for passed in checks.values()]


def text_after_end(text: str, form: AnyFormat) -> str:
    """What stands after the first end marker, further end markers aside: those are `end once`'s."""
    spans = [span for marker, span in find_markers(text, form) if marker == form.end]
    rest, at = "", spans[0].stop
    for span in spans[1:]:
        rest += text[at : span.start]
        at = span.stop
    return (rest + text[at:]).strip()


class StructureMetric(RatioMetric):
    """What both structure metrics share; each check's failure follows the two statistics of the value."""

    unit = "share"
    direction = "higher"
    needs_references = False
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01
    value_columns = 2

    def defined_on(self, form: AnyFormat) -> bool:
        """Only formats with markers have a structure to check."""
        return bool(form.markers)

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Return how many documents fail each check."""
        names = check_names(context.form)
        return {f"failed: {name}": float(n) for name, n in zip(names, sums[2:], strict=True)}
