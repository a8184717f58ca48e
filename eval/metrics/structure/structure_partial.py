"""Structure compliance, partial: the share of structure checks that are passed."""

from __future__ import annotations

from eval.metrics.base import Context, Floats, Metric, ratio
from eval.metrics.structure.checks import SIGNATURE, check_names, checked, failures
from toolkit.records import Outcome
from toolkit.specs import AnyFormat


class StructurePartial(Metric):
    """A check that can't be made, because its marker is missing, is not passed."""

    name = "structure_partial"
    label = "structure checks passed"
    unit = "share"
    direction = "higher"
    signature = f"share-of|{SIGNATURE}"
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01
    value_columns = 2

    def defined_on(self, form: AnyFormat) -> bool:
        """Only formats with markers have a structure to check."""
        return bool(form.markers)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Checks passed, checks, then each check's failure."""
        checks = checked(outcome, context)
        if checks is None:
            return None
        return (float(sum(map(bool, checks.values()))), float(len(checks)), *failures(checks))

    def aggregate(self, sums: Floats) -> Floats:
        """Checks passed by checks."""
        return ratio(sums[..., 0], sums[..., 1])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """How many documents fail each check."""
        names = check_names(context.form)
        return {f"failed: {name}": float(n) for name, n in zip(names, sums[2:], strict=True)}


METRIC = StructurePartial()
