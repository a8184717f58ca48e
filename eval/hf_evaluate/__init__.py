"""Metrics as Hugging Face `evaluate` modules: `evaluate.load("eval/hf_evaluate/structure_compliance")`."""
