"""What several rooms' tests stand on: a tiny model with a real tokenizer, made on the spot, and recipes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks the hub, unless it is marked `hub`
os.environ.setdefault("OMP_NUM_THREADS", "1")  # models are tiny, and tests run beside each other
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell's background jobs ignore it, and so does all that they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("experiments/running", "experiments", "toolkit/training", "toolkit/models", "eval/inference")
"""Folders whose tests take longest, in that order."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left with it when the others have ended."""
    places = {item: item.path.parent.relative_to(Path(__file__).parent).as_posix() for item in items}
    items.sort(
        key=lambda item: next((i for i, name in enumerate(LONGEST) if places[item].startswith(name)), 9)
    )


def recipes(count: int) -> list[str]:
    """Small recipes in the project's format, all different."""
    foods = ["flour", "sugar", "butter", "eggs", "milk", "salt", "rice", "beans", "onion", "garlic"]
    texts = []
    for i in range(count):
        items = [foods[(i + j) % len(foods)] for j in range(2 + i % 4)]
        steps = " ".join(f"Add the {item} and stir {i % 7 + 1} minutes." for item in items)
        texts.append(f"RECIPE: Dish number {i}\nINGREDIENTS: {', '.join(items)}\nDIRECTIONS: {steps}\n[END]")
    return texts


@pytest.fixture(scope="session")
def recipe_texts() -> list[str]:
    """Forty rendered recipes."""
    return recipes(40)


def tokenizer_of(texts: list[str]):
    """A byte-level BPE of 400 tokens, trained on the texts: GPT-2's own kind of tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, **dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    )


def save_tiny(family: str, folder: Path, tokenizer: Any) -> Path:
    """A random two-layer `gpt2` or `llama`, 32 wide, in a folder as `save_pretrained` writes it."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    if family == "gpt2":
        shape = {"n_positions": 256, "n_embd": 32, "n_layer": 2, "n_head": 2}
        model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **shape, **ends))
    else:
        shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        more = {"num_key_value_heads": 1, "max_position_embeddings": 256}
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **shape, **more, **ends))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_tokenizer(recipe_texts: list[str]):
    """The tokenizer of the forty recipes."""
    return tokenizer_of(recipe_texts)


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer) -> Path:
    """A folder with a random two-layer GPT-2."""
    return save_tiny("gpt2", tmp_path_factory.mktemp("tiny") / "gpt2", tiny_tokenizer)


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer) -> Path:
    """A folder with a random two-layer Llama."""
    return save_tiny("llama", tmp_path_factory.mktemp("tiny") / "llama", tiny_tokenizer)
