"""Our metrics as a Hugging Face `evaluate` module: `evaluate.load("eval/hf_evaluate", "bleu")`."""
