"""Corpus chrF on marker-free text, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class ChrF(_module.DocumentMetric):
    """See `eval/metrics/reference/chrf.py`."""

    metric_name = "chrf"
