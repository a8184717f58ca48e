"""A tokenizer with every special token of the four chat formats, and conversations made up by a generator."""

from __future__ import annotations

import random

import pytest

from tests.conftest import recipes, tokenizer_of

SPECIAL = (
    *("<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
    *("<|eot_id|>", "<bos>", "<start_of_turn>", "<end_of_turn>"),
)


@pytest.fixture(scope="session")
def chat_tokenizer():
    """A byte-level BPE of recipes, with the special tokens of ChatML, Llama 3 and Gemma added."""
    tokenizer = tokenizer_of(recipes(40))
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return tokenizer


def dialogues(count: int, seed: int = 0) -> list[list[dict[str, str]]]:
    """Conversations of one to three questions, half with a system turn; line breaks, code, accents."""
    draw = random.Random(seed)
    words = [
        "stir",
        "flour",
        "sugar.",
        "Add",
        "the",
        "café",
        "2 + 2",
        "\n\n```python\nx = 1\n```",
        "naïve",
        "é",
        "\tok",
    ]
    made = []
    for number in range(count):
        turns = [{"role": "system", "content": f"You are number {number}."}] if draw.random() < 0.5 else []
        for _ in range(draw.randint(1, 3)):
            for role in ("user", "assistant"):
                text = " ".join(draw.choices(words, k=draw.randint(1, 12)))
                padded = draw.choice(["", " "]) + text + draw.choice(["", "\n", " "])
                turns.append({"role": role, "content": f"{number}: {padded}"})
        made.append(turns)
    return made
