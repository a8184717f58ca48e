"""The private names of transformers and torch that the generation loop uses, and going without them."""

from __future__ import annotations

import pytest
from transformers import GPT2LMHeadModel

from eval.inference import kv_cache
from eval.inference.generation import generate
from toolkit.specs import Decoding, EvalSpec

PROMPTS = ["RECIPE: Soup\n", "RECIPE: A cake of plums and pears\n", "RECIPE: Pie\n"]
SETTINGS = [Decoding(temperature=0), Decoding(), Decoding(temperature=1.2, top_k=5, top_p=1)]


@pytest.mark.parametrize("name", kv_cache.HOOKS)
def test_the_installed_versions_have_the_hook(name):
    """If this fails, the loop no longer runs on this transformers or torch: adapt kv_cache.py."""
    assert kv_cache.HOOKS[name]()


def test_without_a_hook_plain_generate_writes_the_same_texts_and_the_hook_is_named(
    tiny_gpt2, tiny_tokenizer, monkeypatch
):
    """Three prompts at three settings, 20 tokens: the same texts from the same numbers, a warning each."""
    model = GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval()
    spec = EvalSpec(max_new_tokens=20)

    def texts():
        return [generate(model, tiny_tokenizer, PROMPTS, "title", decoding, spec) for decoding in SETTINGS]

    expected = texts()
    assert len({g.text for setting in expected for g in setting}) > 5
    monkeypatch.setitem(kv_cache.HOOKS, "Cache.layers", lambda: False)
    with pytest.warns(UserWarning, match="lacks Cache.layers: generating with plain `generate`") as warned:
        assert texts() == expected
    assert sum("lacks Cache.layers" in str(warning.message) for warning in warned) == 3
