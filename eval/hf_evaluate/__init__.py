"""Our metrics as a Hugging Face `evaluate` module: `evaluate.load("eval/hf_evaluate", "bleu")`.

It takes predictions and references as texts, works offline, and gives any metric of generations by its name.
"""
