"""Length ratio, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class LengthRatio(_module.DocumentMetric):
    """See `eval/metrics/reference/length_ratio.py`."""

    metric_name = "length_ratio"
