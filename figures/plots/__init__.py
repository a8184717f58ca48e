"""One function per figure: a table and an Axes in, the Axes out. Each shows its n, and may refuse.

Plots know nothing of files or figures: the gallery chooses their rows, and whoever calls one owns the Axes.
"""

from figures.plots.breakdown import failed_checks, section_values
from figures.plots.costs import learning_against_forgetting, quality_against_cost
from figures.plots.curves import learning_curve, learning_rates
from figures.plots.decodings import decoding_shares, decoding_values
from figures.plots.forest import differences
from figures.plots.speed import divided, growth, speeds
from figures.plots.sweep import along
from figures.plots.values import metric_values

__all__ = [
    "along",
    "decoding_shares",
    "decoding_values",
    "differences",
    "divided",
    "failed_checks",
    "growth",
    "learning_against_forgetting",
    "learning_curve",
    "learning_rates",
    "metric_values",
    "quality_against_cost",
    "section_values",
    "speeds",
]
