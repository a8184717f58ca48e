"""Ingredient use, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class IngredientUse(_module.DocumentMetric):
    """See `eval/metrics/ingredients/ingredient_use.py`."""

    metric_name = "ingredient_use"
