"""Ingredient use: the share of listed ingredients that the directions mention."""

from __future__ import annotations

from eval.metrics.base import Context, Floats, RatioMetric, number, ratio
from eval.metrics.ingredients.names import SIGNATURE, known_heads, read
from toolkit.records import Outcome
from toolkit.specs import AnyFormat


class IngredientUse(RatioMetric):
    """Of all ingredients listed in all documents, prompt and generation together; human recipes reach .79.

    An ingredient counts as mentioned if one of the last two words of its name stands in the directions. The
    words are English; of other languages, compare with the references' own value only.
    """

    name = "ingredient_use"
    label = "ingredients used"
    unit = "share"
    direction = "higher"
    needs_references = False
    signature = f"used-by-listed|{SIGNATURE}|text:prompt+written"
    margin = 0.02
    value_columns = 2

    def defined_on(self, form: AnyFormat) -> bool:
        """Only documents have sections that list ingredients."""
        return bool(form.markers)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Listed and mentioned, listed; mentioned and listed, mentioned; documents without a list."""
        generation = context.generation(outcome)
        recipe = None if generation is None else read(generation.document, context.form)
        if recipe is None:
            return None
        mentioned = recipe.directions & known_heads(context)
        listed = {word for name in recipe.names for word in name}
        return (
            float(recipe.used),
            float(len(recipe.names)),
            float(len(mentioned & listed)),
            float(len(mentioned)),
            float(not recipe.names),
        )

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Share of the mentioned that were listed, and their F1; documents that list nothing."""
        used, listed = (number(ratio(sums[i], sums[i + 1])) for i in (0, 2))
        f1 = None
        if used is not None and listed is not None:
            f1 = 2 * used * listed / (used + listed) if used + listed else 0.0
        return {
            "mentioned_that_were_listed": listed,
            "f1": f1,
            "documents_without_ingredients": float(sums[4]),
        }


METRIC = IngredientUse()
