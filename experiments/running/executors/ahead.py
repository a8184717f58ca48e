"""What nearly every run imports: a fork server imports this once, before it forks the first worker."""

from experiments.running import worker
from experiments.running.job import unused_packages_hidden

with unused_packages_hidden():
    import peft
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

    import eval.harness
    import toolkit.training.train

__all__ = ["AutoModelForCausalLM", "AutoTokenizer", "Trainer", "eval", "peft", "toolkit", "worker"]
