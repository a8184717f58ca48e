"""What several rooms' tests stand on: a tiny model with a real tokenizer, made on the spot, and recipes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test asks the hub, unless it is marked `hub`


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


@pytest.fixture(scope="session")
def tiny_tokenizer(recipe_texts: list[str]):
    """A byte-level BPE of 400 tokens, trained on the recipes: GPT-2's own kind of tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    bpe.train_from_iterator(recipe_texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, **dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    )


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer) -> Path:
    """A folder with a random two-layer GPT-2, as `save_pretrained` writes it."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tiny_tokenizer),
        n_positions=256,
        n_embd=32,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    folder = tmp_path_factory.mktemp("tiny") / "gpt2"
    GPT2LMHeadModel(config).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder
