"""A base is tried before its batches are trusted."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, RwkvConfig

from eval.inference import trial
from eval.inference.generation import generate
from eval.inference.outcomes import outcomes
from eval.inference.trial import batches_agree
from toolkit import config
from toolkit.data.format import prompt
from toolkit.specs import Decoding, EvalSpec

FORM = config.document_format("recipe")
GREEDY = Decoding(name="greedy", temperature=0)


@pytest.fixture
def prompts():
    """Six titles, the last one six times as long as the first."""
    return [f"RECIPE: Soup{' of peas' * i}\n" for i in range(6)]


@pytest.fixture
def rwkv(tiny_tokenizer):
    """A random RWKV whose greedy text depends on what came before: its weights are scaled up."""
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "context_length": 256}
    ids = {"vocab_size": len(tiny_tokenizer), "bos_token_id": 0, "eos_token_id": 0}
    model = AutoModelForCausalLM.from_config(RwkvConfig(**shape, **ids)).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.6)
    return model


def test_gpt2_writes_in_a_batch_what_it_writes_alone(tiny_gpt2, tiny_tokenizer, prompts):
    """Padding is masked, so the batch changes nothing."""
    assert batches_agree(GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval(), tiny_tokenizer, prompts)


def test_rwkv_writes_other_texts_in_a_batch_and_is_found_out(rwkv, tiny_tokenizer, prompts):
    """It has no mask: the padding on the left is read as text."""
    assert not batches_agree(rwkv, tiny_tokenizer, prompts)


def test_continuations_that_part_at_a_tie_agree(tiny_gpt2, tiny_tokenizer):
    """Two tokens of equal logits: rounding decides between them. Of unequal ones it does not."""
    model = GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval()
    ids = tiny_tokenizer(PIE, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        order = model(input_ids=torch.tensor([[0, *ids]])).logits[0, -1].argsort()
    best, worst = (tiny_tokenizer.decode([int(order[place])]) for place in (-1, 0))
    assert not trial._parts_at_a_tie(model, tiny_tokenizer, PIE, best, worst, None)
    with torch.no_grad():
        model.transformer.wte.weight[int(order[0])] = model.transformer.wte.weight[int(order[-1])]
    assert trial._parts_at_a_tie(model, tiny_tokenizer, PIE, best, worst, None)


PIE = "RECIPE: Pie\n"


def test_a_base_that_fails_is_evaluated_one_text_at_a_time_and_says_so(rwkv, tiny_tokenizer, recipe_texts):
    """Four recipes with titles of several lengths: each text is the one written alone, marked, one line."""
    texts = [text.replace("Dish", "Dish of peas" * (i + 1)) for i, text in enumerate(recipe_texts[:4])]
    spec = EvalSpec(max_new_tokens=8, decodings=(GREEDY,))
    with pytest.warns(UserWarning, match="one text at a time") as told:
        made, _ = outcomes(rwkv, tiny_tokenizer, texts, FORM, spec, precision="fp32")
    assert sum("one text at a time" in str(one.message) for one in told) == 1
    for text, outcome in zip(texts, made, strict=True):
        (written,) = outcome.generations
        assert not written.batched
        start = prompt(text, FORM, "title")
        (alone,) = generate(rwkv, tiny_tokenizer, [start], "title", GREEDY, spec)
        assert written.text == alone.text
