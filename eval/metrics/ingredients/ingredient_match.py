"""Ingredient match: F1 between the ingredients that were written and those of the reference."""

from __future__ import annotations

from eval.metrics.base import Context, Floats, Metric, number, ratio
from eval.metrics.ingredients.names import SIGNATURE, list_section, read
from toolkit.records import Outcome
from toolkit.specs import AnyFormat


class IngredientMatch(Metric):
    """What an ingredient is, is the last word of its name; counts are summed over documents."""

    name = "ingredient_match"
    label = "ingredients as in the reference"
    unit = "F1"
    lowest, highest = 0.0, 1.0
    direction = "higher"
    signature = f"f1-of-sums|heads:last-word|{SIGNATURE}"
    margin = 0.02

    def defined_on(self, form: AnyFormat) -> bool:
        """Only documents have sections that list ingredients."""
        return bool(form.markers)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """In both, written, in the reference; None where the prompt holds the list or the reference none."""
        generation = context.generation(outcome)
        listed = list_section(context.form)
        if generation is None or listed is None:
            return None
        names = [section.name for section in context.form.sections]
        if names.index(generation.prompt_mode) >= names.index(listed):
            return None
        written, wanted = (read(text, context.form) for text in (generation.document, outcome.reference))
        if written is None or wanted is None or not wanted.heads:
            return None
        return (float(len(written.heads & wanted.heads)), float(len(written.heads)), float(len(wanted.heads)))

    def aggregate(self, sums: Floats) -> Floats:
        """``2 both / (written + reference)``."""
        return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Precision and recall."""
        return {
            "precision": number(ratio(sums[0], sums[1])),
            "recall": number(ratio(sums[0], sums[2])),
        }


METRIC = IngredientMatch()
