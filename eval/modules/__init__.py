"""The metrics as Hugging Face `evaluate` modules: `evaluate.load("eval/modules/structure_compliance")`."""
