"""ROUGE-L on marker-free text, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.modules import _module


class RougeL(_module.DocumentMetric):
    """See `eval/metrics/rouge_l.py`."""

    metric_name = "rouge_l"
