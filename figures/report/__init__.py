"""A study's report: one self-contained page and its Markdown twin, from records alone.

`page` builds both from the `templates`, `sections` gathers what each part of the page shows.
"""

from figures.report.page import build, draw_only

__all__ = ["build", "draw_only"]
