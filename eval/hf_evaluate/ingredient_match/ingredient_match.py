"""Ingredient match, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class IngredientMatch(_module.DocumentMetric):
    """See `eval/metrics/ingredients/ingredient_match.py`."""

    metric_name = "ingredient_match"
