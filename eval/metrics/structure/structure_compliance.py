"""Structure compliance, strict: the share of documents that pass every structure check."""

from __future__ import annotations

from eval.metrics.base import Context, Floats, Metric, ratio
from eval.metrics.structure.checks import SIGNATURE, check_names, checked, failures
from toolkit.records import Outcome
from toolkit.specs import AnyFormat


class StructureCompliance(Metric):
    """A document passes if all its checks do; `details` counts the failing ones by name."""

    name = "structure_compliance"
    label = "structure compliance"
    unit = "share"
    direction = "higher"
    signature = f"all-of|{SIGNATURE}"
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01
    headline = True
    binary = True
    value_columns = 2

    def defined_on(self, form: AnyFormat) -> bool:
        """Only formats with markers have a structure to check."""
        return bool(form.markers)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Passed, 1, then each check's failure."""
        checks = checked(outcome, context)
        return None if checks is None else (float(all(checks.values())), 1.0, *failures(checks))

    def aggregate(self, sums: Floats) -> Floats:
        """Documents passed by documents."""
        return ratio(sums[..., 0], sums[..., 1])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """How many documents fail each check."""
        names = check_names(context.form)
        return {f"failed: {name}": float(n) for name, n in zip(names, sums[2:], strict=True)}


METRIC = StructureCompliance()
