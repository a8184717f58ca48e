"""Structure compliance, as a Hugging Face `evaluate` module."""

# Not the class by its name: `evaluate` takes the first module class that it finds in a file.
from eval.hf_evaluate import _module


class StructureCompliance(_module.DocumentMetric):
    """See `eval/metrics/structure/structure_compliance.py`."""

    metric_name = "structure_compliance"
    needs_references = False
