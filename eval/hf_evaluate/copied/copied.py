"""Share of texts copied from training, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class Copied(_module.DocumentMetric):
    """See `eval/metrics/memorization/copied.py`."""

    metric_name = "copied"
