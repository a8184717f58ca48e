"""The app that the `bakeoff bench` commands belong to."""

from __future__ import annotations

from cyclopts import App

bench = App(name="bench", help="Measure speed and memory against a baseline, both in one run.")
EMBEDDED = "smollm2-135m-embedded"
"""The base that is measured unless another is given."""
