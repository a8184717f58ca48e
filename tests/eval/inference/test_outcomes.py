"""One pass over documents: likelihoods that add up by section, generations that stop only by themselves."""

from __future__ import annotations

import math

import pytest
import torch

from eval.inference.generation import generate
from eval.inference.likelihood import _windows, likelihoods
from eval.inference.outcomes import outcomes
from toolkit import config
from toolkit.data.format import prompt
from toolkit.errors import UserError
from toolkit.events import Advanced, Event
from toolkit.models import load
from toolkit.specs import Decoding, EvalSpec, ModelSpec

GREEDY = Decoding(name="greedy", temperature=0)


@pytest.fixture(scope="module")
def form():
    """The recipe format."""
    return config.document_format("recipe")


@pytest.fixture(scope="module")
def tiny(tiny_gpt2):
    """The tiny model and its tokenizer."""
    spec = ModelSpec(name="tiny", folder=str(tiny_gpt2))
    return load.load_base(spec).eval(), load.load_tokenizer(spec)


def test_parts_add_up_to_the_models_own_loss(tiny, form, recipe_texts):
    """All parts of a text sum to transformers' loss times its tokens, and to the text's bytes."""
    model, tokenizer = tiny
    found = likelihoods(model, tokenizer, recipe_texts[:6], form, precision="fp32")
    for text, parts in zip(recipe_texts[:6], found, strict=True):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        row = torch.tensor([[0, *ids, 0]])
        with torch.no_grad():
            loss = model(input_ids=row, labels=row).loss.item()
        assert sum(part.nll for part in parts.values()) == pytest.approx(loss * (len(ids) + 1), rel=1e-5)
        assert sum(part.tokens for part in parts.values()) == len(ids) + 1
        assert sum(part.bytes for part in parts.values()) == len(text.encode())
        assert (parts["stop"].tokens, parts["stop"].bytes) == (1, 0)


def test_bytes_and_tokens_go_to_their_sections(tiny, form):
    """`Pie` is 3 bytes, `½ egg, salt` is 12 (½ takes two); markers, spaces and line ends are scaffold."""
    text = "RECIPE: Pie\nINGREDIENTS: ½ egg, salt\nDIRECTIONS: Mix.\n[END]"
    (parts,) = likelihoods(*tiny, [text], form, precision="fp32")
    assert {name: part.bytes for name, part in parts.items()} == {
        "title": 3, "ingredients": 12, "directions": 4, "scaffold": len(text.encode()) - 19, "stop": 0,
    }  # fmt: skip
    assert all(part.tokens > 0 for part in parts.values())


def test_likelihoods_do_not_depend_on_the_batch(tiny, form, recipe_texts):
    """A text alone and among forty others: the same nll to 1e-5."""
    model, tokenizer = tiny
    together = likelihoods(model, tokenizer, recipe_texts, form, precision="fp32")
    for i in (0, 7, 39):
        (alone,) = likelihoods(model, tokenizer, [recipe_texts[i]], form, precision="fp32")
        for part, value in alone.items():
            assert value.nll == pytest.approx(together[i][part].nll, rel=1e-5)


def test_windows_score_every_token_once():
    """Rows of 3 to 40 tokens, context 8: all but the prefix, once; no window sees more than it may."""
    for length in range(3, 41):
        windows = _windows(length, 8)
        scored = [i for fed, first, last in windows for i in range(first, last)]
        assert scored == list(range(1, length))
        assert all(0 <= fed < first < last and last - 1 - fed <= 8 for fed, first, last in windows)


def test_windows_of_a_long_text_by_hand():
    """Context 4, prefix + 6 tokens + stop (a row of 8).

    The first window sees 0-3 and scores 1-4; the second, filled up, sees 2-5 and scores 5-6; the stop at 7
    sees 3-6.
    """
    assert _windows(8, 4) == [(0, 1, 5), (2, 5, 7), (3, 7, 8)]


def test_a_text_longer_than_the_context_is_scored_whole(tiny, form):
    """The model holds 256 positions; 400 tokens and more are scored, each once, and the values are finite."""
    model, tokenizer = tiny
    text = f"RECIPE: Long\nINGREDIENTS: salt\nDIRECTIONS: {'Stir the rice. ' * 150}\n[END]"
    count = len(tokenizer(text, add_special_tokens=False).input_ids)
    assert count > 400
    (parts,) = likelihoods(model, tokenizer, [text], form, precision="fp32")
    assert sum(part.tokens for part in parts.values()) == count + 1
    assert all(math.isfinite(part.nll) for part in parts.values())


def test_greedy_generations_do_not_depend_on_the_batch(tiny, form, recipe_texts):
    """Ten prompts at once and one at a time, in fp32: the same text to the letter."""
    model, tokenizer = tiny
    prompts = [prompt(text, form, "title") for text in recipe_texts[:10]]
    spec = EvalSpec(max_new_tokens=20)
    together = generate(model, tokenizer, prompts, "title", GREEDY, spec)
    alone = [generate(model, tokenizer, [one], "title", GREEDY, spec)[0] for one in prompts]
    assert together == alone
    assert all(g.tokens <= 20 for g in together)


def test_draws_repeat_with_their_seed_and_differ_without(tiny, form, recipe_texts):
    """Seed 0 twice is the same text; seed 1 is another."""
    prompts = [prompt(text, form, "title") for text in recipe_texts[:3]]
    one, two, other = (
        generate(*tiny, prompts, "title", Decoding(), EvalSpec(max_new_tokens=20, seed=seed))
        for seed in (0, 0, 1)
    )
    assert one == two
    assert [g.text for g in one] != [g.text for g in other]


def test_the_pass_keeps_the_order_and_limits_generations(tiny, form, recipe_texts):
    """Five texts, three generated for: five outcomes in order, ids by content, two without a generation."""
    spec = EvalSpec(max_new_tokens=8, generations=3, decodings=(GREEDY, Decoding()))
    found, seconds = outcomes(*tiny, recipe_texts[:5], form, spec, precision="fp32")
    assert [o.reference for o in found] == recipe_texts[:5]
    assert [o.title for o in found] == [f"Dish number {i}" for i in range(5)]
    assert [len(o.generations) for o in found] == [2, 2, 2, 0, 0]
    assert [g.decoding for g in found[0].generations] == ["greedy", "t0.8-p0.9"]
    assert seconds.keys() == {"likelihood", "generation"}


def test_progress_goes_once_from_start_to_end_over_all_settings(tiny, form, recipe_texts):
    """Two prompts x two decodings of 8 tokens: 32 steps in order, the first of each setting in place."""
    decodings = (Decoding(temperature=0), Decoding(temperature=0, num_beams=2))
    spec = EvalSpec(max_new_tokens=8, prompts=("title", "ingredients"), decodings=decodings)
    reported: list[Event] = []
    outcomes(*tiny, recipe_texts[:3], form, spec, precision="fp32", progress=reported.append)
    steps = [event for event in reported if isinstance(event, Advanced) and event.work == "generating"]
    assert {event.total for event in steps} == {32}
    done = [event.done for event in steps]
    assert done == sorted(done)
    assert {0, 8, 16, 24} <= set(done)


@pytest.mark.parametrize(
    ("precision", "remedy"), [("fp32", "$"), ("bf16", "; try evaluate.likelihood_precision")]
)
def test_a_likelihood_that_is_no_number_names_the_text_and_the_remedy(
    tiny, form, monkeypatch, precision, remedy
):
    """A model whose last norm holds a weight that is not a number, as one from elsewhere may."""
    weight = tiny[0].transformer.ln_f.weight
    monkeypatch.setattr(weight, "data", torch.full_like(weight, float("nan")))
    says = f"text 1 of 1 is not a finite number in {precision}: .* floating point{remedy}"
    with pytest.raises(UserError, match=says):
        likelihoods(*tiny, ["RECIPE: Pie\n[END]"], form, precision=precision)
