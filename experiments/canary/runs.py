"""The small runs of a canary: two tiny random bases, full fine-tuning and LoRA, a few seeds, minutes at most.

Inside a side's environment `python -m experiments.canary.runs` reads a request as JSON from standard input
and writes what it measured as the last line of standard output.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from toolkit.catalog import document_format
from toolkit.data.format import document_id
from toolkit.events import ignore
from toolkit.records import Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec, RunSpec, TrainSpec

BASES = ("gpt2", "llama")
METHODS = {
    "full": (MethodSpec(name="full", trainable=("*",)), 3e-3),
    "lora": (
        MethodSpec(name="lora", peft={"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}),
        1e-2,
    ),
}
TRAIN, HELD_OUT = 24, 8
SETTINGS = TrainSpec(batch_tokens=256, accumulate=2, epochs=3, precision="fp32", validations=1)
FOODS = ("flour", "sugar", "butter", "eggs", "milk", "salt", "rice", "beans", "onion", "garlic")


def documents() -> list[str]:
    """Return small recipes of the project's format, of different lengths, the same on every machine."""
    texts = []
    for number in range(TRAIN + HELD_OUT):
        items = [FOODS[(number * 3 + j) % len(FOODS)] for j in range(2 + number % 4)]
        steps = " ".join(
            f"Add the {item} and stir {(number + j) % 7 + 1} minutes." for j, item in enumerate(items)
        )
        texts.append(
            f"RECIPE: Dish number {number}\nINGREDIENTS: {', '.join(items)}\nDIRECTIONS: {steps}\n[END]"
        )
    return texts


def make_bases(folder: Path) -> None:
    """Write the bases, random and stored in bf16, with a tokenizer trained on the documents.

    Both sides load the same files. Stored in bf16, a base shows a side that no longer computes in fp32.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    bpe.train_from_iterator(documents(), trainer)
    ends = dict.fromkeys(("bos_token", "eos_token"), "<|endoftext|>")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, **ends)
    size = {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 0}
    gpt2 = GPT2Config(n_positions=256, n_embd=64, n_layer=2, n_head=4, **size)
    llama = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        **size,
    )
    for name, kind, config in (("gpt2", GPT2LMHeadModel, gpt2), ("llama", LlamaForCausalLM, llama)):
        torch.manual_seed(0)
        kind(config).to(torch.bfloat16).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def measure(bases: Path, seeds: int) -> dict[str, Any]:
    """Train every base with every method and seed; return versions, and what is compared of each run.

    `loss` and `gradient_norm`: one value per optimizer step; `likelihood`: nats per token of each held-out
    document under the saved and reloaded model.
    """
    from experiments.canary.environments import STACK
    from toolkit import runtime
    from toolkit.training.train import train

    runtime.quiet_libraries()
    texts, form = documents(), document_format("recipe")
    order = sorted(texts, key=document_id)
    trained, held_out = order[:TRAIN], order[TRAIN:]
    runs: dict[str, dict[str, list[float | None]]] = {}
    for base in BASES:
        for name, (method, rate) in METHODS.items():
            for seed in range(seeds):
                spec = RunSpec(
                    model=ModelSpec(name=base, folder=str(bases / base)),
                    dataset=None,
                    data=None,
                    method=method,
                    learning_rate=rate,
                    train=SETTINGS,
                    seed=seed,
                )
                with tempfile.TemporaryDirectory() as root:
                    folder = RunFolder(Path(root), spec.run_id)
                    record = train(spec, trained, held_out, form.end, folder, progress=ignore)
                    steps = [step for step in read_lines(folder.steps, Step) if step.loss is not None]
                    runs[f"{base} {name} {seed}"] = {
                        "loss": [step.loss for step in steps],
                        "gradient_norm": [step.gradient_norm for step in steps],
                        "likelihood": _likelihoods(record, folder, held_out),
                    }
    return {"versions": {name: metadata.version(name) for name in STACK}, "runs": runs}


def _likelihoods(record: Any, folder: RunFolder, texts: list[str]) -> list[float | None]:
    from eval.inference.likelihood import likelihoods
    from toolkit.models.artifact import load_run

    if record.status != "finished":  # it diverged, which is a drift like any other
        return [None] * len(texts)
    model, tokenizer = load_run(record, folder)
    scored = likelihoods(model, tokenizer, texts, document_format("recipe"), precision="fp32")
    sums = [(sum(p.nll for p in one.values()), sum(p.tokens for p in one.values())) for one in scored]
    return [nats / tokens for nats, tokens in sums]


def main() -> int:
    """Entry point of a side's process."""
    asked = json.loads(sys.stdin.readline())
    stream = sys.stdout
    sys.stdout = sys.stderr
    print(json.dumps(measure(Path(asked["bases"]), asked["seeds"])), file=stream)
    return 0


if __name__ == "__main__":
    sys.exit(main())
