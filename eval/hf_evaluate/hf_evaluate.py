"""Our metrics as one Hugging Face `evaluate` module: the metric is the configuration's name."""

# Not the class by its name: `evaluate` takes the first module class that it finds in this file.
from eval.hf_evaluate import documents


class DocumentMetric(documents.DocumentMetric):
    """`evaluate.load("eval/hf_evaluate", "bleu")`: `evaluate` finds this file by the folder's name."""
