"""Structure compliance, strict: the share of documents that pass every structure check."""

from __future__ import annotations

from eval.metrics.base import Context
from eval.metrics.structure.checks import SIGNATURE, StructureMetric, checked, failures
from toolkit.records import Outcome


class StructureCompliance(StructureMetric):
    """A document passes if all its checks do; `details` counts the failing ones by name."""

    name = "structure_compliance"
    label = "structure compliance"
    signature = f"all-of|{SIGNATURE}"
    headline = True
    binary = True

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Passed, 1, then each check's failure."""
        checks = checked(outcome, context)
        return None if checks is None else (float(all(checks.values())), 1.0, *failures(checks))


METRIC = StructureCompliance()
