"""Pieces of the lines about long work: bars of losses, durations in words, text that may hold anything."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.errors import visible

BARS = "▁▂▃▄▅▆▇█"


def indented(text: str) -> str:
    """Return the text with control characters shown and further lines indented: none looks like ours."""
    return visible(text).replace("\n", "\n    ")


def sparkline(values: Sequence[float], width: int = 8) -> str:
    """Draw the values as at most ``width`` bars: means of equal stretches, scaled from lowest to highest."""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)] if count else [0]
    means = [sum(values[a:b]) / (b - a) for a, b in zip(edges, edges[1:], strict=False)]
    low, span = min(means, default=0.0), max(means, default=0.0) - min(means, default=0.0)
    return "".join(BARS[round((value - low) / span * 7) if span else 0] for value in means)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
