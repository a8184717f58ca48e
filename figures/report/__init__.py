"""A study's report: one self-contained page and its Markdown twin, from records alone."""

from figures.report.page import build

__all__ = ["build"]
