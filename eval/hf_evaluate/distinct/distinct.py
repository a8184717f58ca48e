"""Distinct-n, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class Distinct(_module.DocumentMetric):
    """See `eval/metrics/diversity/distinct.py`."""

    metric_name = "distinct"
