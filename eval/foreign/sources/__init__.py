"""One reader per tool: lm-evaluation-harness, Every Eval Ever, PEFT's benchmark, Trainer states, CSV, text."""

from eval.foreign.sources.read import read

__all__ = ["read"]
