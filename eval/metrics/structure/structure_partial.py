"""Structure compliance, partial: the share of structure checks that are passed."""

from __future__ import annotations

from eval.metrics.base import Context
from eval.metrics.structure.checks import SIGNATURE, StructureMetric, checked, failures
from toolkit.records import Outcome


class StructurePartial(StructureMetric):
    """A check that can't be made, because its marker is missing, is not passed."""

    name = "structure_partial"
    label = "structure checks passed"
    signature = f"share-of|{SIGNATURE}"

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Checks passed, checks, then each check's failure."""
        checks = checked(outcome, context)
        if checks is None:
            return None
        return (float(sum(map(bool, checks.values()))), float(len(checks)), *failures(checks))


METRIC = StructurePartial()
