"""Rows leave a batch when they have ended, and write what they would have written alone."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GemmaConfig,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
)

from eval.inference import kv_cache
from eval.inference.generation import generate
from eval.inference.likelihood import likelihoods
from toolkit import config
from toolkit.catalog import document_format
from toolkit.data.format import prompt
from toolkit.errors import UserError
from toolkit.events import Advanced
from toolkit.models import load, probe
from toolkit.specs import Decoding, EvalSpec, ModelSpec

GREEDY = Decoding(name="greedy", temperature=0)
SMALL = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": None,
}
FAMILIES = {
    "llama, grouped keys": LlamaConfig(**SMALL, num_key_value_heads=2),
    "mistral, sliding window": MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=8),
    "gemma": GemmaConfig(**SMALL, num_key_value_heads=1, head_dim=8),
    "gpt-neox": GPTNeoXConfig(**SMALL),
    "opt": OPTConfig(**SMALL, ffn_dim=64, word_embed_proj_dim=32),
    "bloom": BloomConfig(vocab_size=400, hidden_size=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0),
}


@pytest.fixture
def ending(tiny_gpt2):
    """The tiny GPT-2, made to end its text at about one token in eight."""
    model = GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval()
    with torch.no_grad():
        model.transformer.ln_f.bias[0] = 1
        model.transformer.wte.weight[:, 0] = 0
        model.transformer.wte.weight[0] = 0
        model.transformer.wte.weight[0, 0] = 4
    return model


@pytest.fixture
def prompts(recipe_texts):
    """Titles of several lengths."""
    titles = [prompt(text, config.document_format("recipe"), "title") for text in recipe_texts[:20]]
    return [title.replace("number", "of a number" * (i % 3)) for i, title in enumerate(titles)]


def plain_greedy(model, tokenizer, text, limit):
    """Token by token over the whole text, without cache, padding or company."""
    ids = [0, *tokenizer(text, add_special_tokens=False).input_ids]
    written = []
    with torch.no_grad():
        while len(written) < limit:
            token = model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax().item()
            if token == 0:
                break
            written.append(token)
    return tokenizer.decode(written)


def test_rows_that_end_leave_and_the_rest_write_on_as_if_alone(ending, tiny_tokenizer, prompts, monkeypatch):
    """Twenty prompts: the batch shrinks; each text is the one written alone; they end at many lengths."""
    sizes = []
    select = kv_cache.select_rows
    monkeypatch.setattr(
        kv_cache,
        "select_rows",
        lambda state, kept, rows: (sizes.append(len(kept)), select(state, kept, rows))[1],
    )
    spec = EvalSpec(max_new_tokens=100)
    together = generate(ending, tiny_tokenizer, prompts, "title", Decoding(), spec)
    assert len(sizes) >= 3
    assert sizes == sorted(set(sizes), reverse=True)
    assert len({g.tokens for g in together}) >= 5
    assert {g.ended for g in together} == {"end_of_text"}
    for text, found in zip(prompts, together, strict=True):
        assert generate(ending, tiny_tokenizer, [text], "title", Decoding(), spec) == [found]


def test_a_limit_ends_what_has_not_ended(ending, tiny_tokenizer, prompts):
    """Three tokens at most: those that need more end at the limit, with three tokens exactly."""
    found = generate(ending, tiny_tokenizer, prompts, "title", Decoding(), EvalSpec(max_new_tokens=3))
    assert {g.ended for g in found} == {"end_of_text", "limit"}
    assert all(g.tokens == 3 for g in found if g.ended == "limit")
    assert all(g.tokens < 3 for g in found if g.ended == "end_of_text")


def test_a_long_prompt_shortens_its_own_text_alone(ending, tiny_tokenizer, prompts):
    """One prompt leaves room for 5 tokens: its text ends there, with a warning; the others' do not change."""
    context = probe.context(ending)
    ids = tiny_tokenizer(" rice" * context, add_special_tokens=False).input_ids
    filled = tiny_tokenizer.decode(ids[: context - 6])
    assert (
        len(tiny_tokenizer(filled, add_special_tokens=False).input_ids) == context - 6
    )  # and a prefix token
    spec = EvalSpec(max_new_tokens=40)
    alone = generate(ending, tiny_tokenizer, prompts[:5], "title", Decoding(), spec)
    with pytest.warns(UserWarning, match="1 of 6 prompts leave room for fewer than 40 tokens"):
        together = generate(ending, tiny_tokenizer, [filled, *prompts[:5]], "title", Decoding(), spec)
    assert together[1:] == alone
    assert together[0].tokens <= 5
    full = filled + " rice" * 9
    for batched in (True, False):
        with pytest.warns(UserWarning, match="1 of 2 prompts fill the model's context"):
            found = generate(
                ending, tiny_tokenizer, [full, prompts[0]], "title", Decoding(), spec, batched=batched
            )
        assert (found[0].prompt, found[0].text, found[0].tokens, found[0].ended) == (full, "", 0, "limit")
        assert found[1].text == alone[0].text
    with pytest.raises(UserError, match="every prompt fills .* shorten them, or take a base"):
        generate(ending, tiny_tokenizer, [full], "title", Decoding(), spec)


@pytest.mark.parametrize("decoding", [GREEDY, Decoding(temperature=0, num_beams=3)], ids=["greedy", "beams"])
def test_settings_that_a_base_brings_change_no_text(ending, tiny_tokenizer, prompts, decoding):
    """A penalty on repetitions and on length in its `generation_config.json`: left out, and kept."""
    spec = EvalSpec(max_new_tokens=30)
    plain = generate(ending, tiny_tokenizer, prompts[:5], "title", decoding, spec)
    ending.generation_config.repetition_penalty = 9.0
    ending.generation_config.length_penalty = -9.0
    try:
        assert generate(ending, tiny_tokenizer, prompts[:5], "title", decoding, spec) == plain
        assert ending.generation_config.repetition_penalty == 9.0
    finally:
        ending.generation_config.repetition_penalty = None
        ending.generation_config.length_penalty = None


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_writes_what_its_plain_forward_pass_says(name, tiny_tokenizer, prompts):
    """Greedy, fp32, 80 tokens (more than the first room): equal to a pass without cache or batch."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(FAMILIES[name]).float().eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(3)  # logits far enough apart that rounding decides nothing
    found = generate(model, tiny_tokenizer, prompts[:5], "title", GREEDY, EvalSpec(max_new_tokens=80))
    for text, one in zip(prompts[:5], found, strict=True):
        assert one.text == plain_greedy(model, tiny_tokenizer, text, 80)


@pytest.mark.parametrize(
    "adapter",
    [
        LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"),
        PrefixTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
        PromptTuningConfig(num_virtual_tokens=5, task_type="CAUSAL_LM"),
    ],
    ids=["lora", "prefix tuning", "prompt tuning"],
)
def test_adapters_write_what_their_plain_forward_pass_says(adapter, ending, tiny_tokenizer, prompts):
    """An adapter on the weights, one on the cache and one on the input; rows leave here too."""
    torch.manual_seed(0)
    model = get_peft_model(ending, adapter).eval()
    spec = EvalSpec(max_new_tokens=30)
    together = generate(model, tiny_tokenizer, prompts, "title", GREEDY, spec)
    for text, found in zip(prompts[:6], together, strict=False):
        assert found.text == plain_greedy(model, tiny_tokenizer, text, 30)
    drawn = generate(model, tiny_tokenizer, prompts, "title", Decoding(), spec)
    assert len({g.tokens for g in drawn}) >= 3
    for text, found in zip(prompts[:6], drawn, strict=False):
        assert generate(model, tiny_tokenizer, [text], "title", Decoding(), spec) == [found]


def test_beams_write_what_transformers_does(ending, tiny_tokenizer, prompts):
    """Three beams of `generate` itself, one prompt at a time; every step is reported."""
    decoding = Decoding(name="beam", temperature=0, num_beams=3)
    reported: list[Advanced] = []
    spec = EvalSpec(max_new_tokens=12)
    found = generate(ending, tiny_tokenizer, prompts[:4], "title", decoding, spec, reported.append)
    assert [event.done for event in reported] == list(range(len(reported)))
    assert {event.total for event in reported} == {12}
    assert 1 < len(reported) <= 12
    for text, one in zip(prompts[:4], found, strict=True):
        ids = torch.tensor([[0, *tiny_tokenizer(text, add_special_tokens=False).input_ids]])
        theirs = ending.generate(ids, num_beams=3, max_new_tokens=12, do_sample=False, pad_token_id=0)
        assert one.text == tiny_tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)


def test_nothing_to_write(ending, tiny_tokenizer):
    """No prompts, no generations; an empty prompt is the prefix token alone."""
    assert generate(ending, tiny_tokenizer, [], "title", GREEDY, EvalSpec()) == []
    (one,) = generate(ending, tiny_tokenizer, [""], "title", Decoding(), EvalSpec(max_new_tokens=5))
    assert one.prompt == ""


def test_the_cache_keeps_room_and_what_was_in_it():
    """200 steps of one position: equal to one concatenation, and the room is made anew four times only."""
    torch.manual_seed(0)
    steps = [torch.randn(2, 3, 1, 4) for _ in range(200)]
    with torch.no_grad():
        layer, rooms = kv_cache.RoomyLayer(), set()
        for step in steps:
            keys, values = layer.update(step, -step)
            rooms.add(keys._base.data_ptr())
        whole = torch.cat(steps, dim=2)
        assert torch.equal(keys, whole)
        assert torch.equal(values, -whole)
        assert len(rooms) <= 4
        layer.batch_select_indices(torch.tensor([1]))
        keys, _ = layer.update(steps[0][:1], steps[0][:1])
        assert torch.equal(keys, torch.cat([whole[1:], steps[0][:1]], dim=2))


def test_two_documents_of_one_prompt_get_different_draws(ending, tiny_tokenizer):
    """Three texts after one title: equal without documents; two different ones for documents a, b, a."""
    spec, titles = EvalSpec(max_new_tokens=20), ["RECIPE: Soup\n"] * 3
    plain = generate(ending, tiny_tokenizer, titles, "title", Decoding(), spec)
    assert len({g.text for g in plain}) == 1
    keyed = generate(ending, tiny_tokenizer, titles, "title", Decoding(), spec, documents=["a", "b", "a"])
    assert keyed[0].text == keyed[2].text != keyed[1].text


def test_what_does_not_fit_is_written_and_scored_in_halves(
    tiny_gpt2, tiny_tokenizer, recipe_texts, monkeypatch
):
    """The same texts and likelihoods where no more than two rows fit into memory."""
    model = load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2))).eval()
    form = document_format("recipe")
    prompts = [prompt(text, form, "title") for text in recipe_texts[:5]]

    def both():
        texts = generate(model, tiny_tokenizer, prompts, "title", Decoding(), EvalSpec(max_new_tokens=12))
        found = likelihoods(model, tiny_tokenizer, recipe_texts[:5], form, precision="fp32")
        return [one.text for one in texts], [part["title"].nll for part in found]

    whole = both()
    sizes, forward = [], type(model).forward

    def small(self, *args, **rest):
        sizes.append(len(rest.get("input_ids", args[0] if args else ())))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, *args, **rest)

    monkeypatch.setattr(type(model), "forward", small)
    texts, nlls = both()
    assert max(sizes) > 2
    assert texts == whole[0]
    assert nlls == pytest.approx(whole[1], rel=1e-5)
