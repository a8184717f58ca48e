"""Other tools' metrics as ours: the formula that turns summed statistics into a value."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from eval.foreign.sources.scores import Formula, ItemScores
from eval.metrics.base import Context, Floats, Metric, ratio
from eval.metrics.likelihood.likelihood import exp
from eval.metrics.reference.bleu import corpus_bleu, few_matches
from eval.metrics.reference.chrf import corpus_chrf
from toolkit.records import Outcome

UNITS: dict[Formula, str] = {"bits": "bits per byte", "bleu": "BLEU", "chrf": "chrF"}
LOWEST: dict[Formula, float] = {"mean of 0 and 1": 0.0, "bits": 0.0, "exp": 1.0, "bleu": 0.0, "chrf": 0.0}
HIGHEST: dict[Formula, float] = {"mean of 0 and 1": 1.0, "bleu": 100.0, "chrf": 100.0}


class ForeignMetric(Metric):
    """A metric whose statistics another tool wrote: it can only aggregate them."""

    of_generations: ClassVar[bool] = False
    formula: ClassVar[Formula]

    @property
    def signature(self) -> str:
        """The formula: how the statistics came about is the other tool's to say."""
        return f"formula:{self.formula}"

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Raise: there is no outcome to look at."""
        raise TypeError("statistics of another tool's metric are read, not computed")

    def aggregate(self, sums: Floats) -> Floats:
        """Return the value from summed statistics, ``[..., k] -> [...]``."""
        if self.formula == "bleu":
            return corpus_bleu(sums)
        if self.formula == "chrf":
            return corpus_chrf(sums)
        per_unit = ratio(sums[..., 0], sums[..., 1])
        if self.formula == "exp":
            return exp(per_unit)
        return per_unit / np.log(2) if self.formula == "bits" else per_unit

    def unsupported(self, sums: Floats) -> bool:
        """Whether it is BLEU with few matches."""
        return self.formula == "bleu" and few_matches(sums)


def metric_of(scores: ItemScores, margin: float | None = None) -> Metric:
    """Return the metric of these scores, with ``margin`` in its unit."""
    attributes: dict[str, Any] = {
        "name": scores.metric,
        "label": scores.metric,
        "unit": UNITS.get(scores.formula, scores.metric),
        "lowest": LOWEST.get(scores.formula, -np.inf),
        "highest": HIGHEST.get(scores.formula, np.inf),
        "direction": scores.direction,
        "margin": margin,
        "binary": scores.formula == "mean of 0 and 1",
        "formula": scores.formula,
    }
    kind: type[ForeignMetric] = type("ForeignMetric", (ForeignMetric,), attributes)
    return kind()
