"""ROUGE-L on marker-free text, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class RougeL(_module.DocumentMetric):
    """See `eval/metrics/reference/rouge_l.py`."""

    metric_name = "rouge_l"
