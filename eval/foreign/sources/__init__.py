"""One reader per tool: lm-evaluation-harness, Every Eval Ever, PEFT, transformers Trainer, CSV, text.

`read` recognises whose file it is; every reader returns `ItemScores`.
"""

from eval.foreign.sources.read import read

__all__ = ["read"]
