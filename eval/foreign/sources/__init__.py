"""One reader per tool: lm-evaluation-harness, Every Eval Ever, PEFT, transformers Trainer, CSV, text."""

from eval.foreign.sources.read import read

__all__ = ["read"]
