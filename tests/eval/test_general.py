"""General text: scored beside the held-out documents, and in nobody's way."""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest
from peft import LoraConfig, get_peft_model

from eval import general_text
from eval.inference.outcomes import outcomes
from eval.metrics import Context, all_metrics, measure, metric
from experiments.design import study
from toolkit import config
from toolkit.errors import UserError
from toolkit.models import load as models
from toolkit.specs import Decoding, EvalSpec, General, ModelSpec

LINES = [
    "The minister spoke of the fires.",
    "Rain fell\tin   the south.",
    "It was 4:00pm – no more, no less.",
]


@pytest.fixture
def news(tmp_path):
    """Three texts in a file, a line each, with an empty line between."""
    path = tmp_path / "news.txt"
    path.write_text(f"{LINES[0]}\n\n{LINES[1]}\n{LINES[2]}\n", encoding="utf-8")
    return config.dataset({"name": "news", "files": [str(path)], "format": "text"})


def test_the_first_texts_are_taken_without_markers(news):
    """Two of three, white space made one space."""
    assert general_text.texts(General(dataset=news, texts=2)) == [LINES[0], "Rain fell in the south."]


def test_fewer_texts_than_asked_for_are_told(news):
    """Four of three."""
    with pytest.raises(
        UserError, match="evaluate.general: 4 texts were asked for, and data set 'news' has 3"
    ):
        general_text.texts(General(dataset=news, texts=4))


def test_a_recipe_is_general_text_too():
    """Any data set serves; its sections stand on lines of their own, without the markers."""
    (text,) = general_text.texts(General(dataset=config.dataset("wikibooks-de"), texts=1))
    assert len(text.split("\n")) == 3
    assert "ZUTATEN:" not in text


def test_a_conversation_is_general_text_once():
    """Its turns, a line each: the prompt is not there twice."""
    (text,) = general_text.texts(General(dataset=config.dataset("chatterbot"), texts=1))
    lines = text.split("\n")
    assert len(lines) == len(set(lines)) >= 2


def test_a_data_set_that_cannot_be_had_is_told_before_anything_runs():
    """A missing package names how to install it; a mixture is no plain data set."""
    missing = config.dataset(
        {"name": "x", "package": "no-such==1.0", "package_file": "a.txt", "format": "text"}
    )
    with pytest.raises(
        UserError, match="data set 'x': package no-such is not installed.*--no-deps no-such==1.0"
    ):
        general_text.check(General(dataset=missing))
    with pytest.raises(UserError, match="evaluate.general: data set 'wikibooks-en-de' is a mixture"):
        general_text.check(General(dataset=config.dataset("wikibooks-en-de")))


@pytest.mark.skipif(not find_spec("gensim"), reason="package gensim is not installed: it comes on request")
def test_the_news_of_the_catalog_are_300_english_texts():
    """The Lee background corpus opens with bush fires near Hill Top."""
    texts = general_text.texts(General(dataset=config.dataset("lee-news"), texts=300))
    assert texts[0].startswith("Hundreds of people have been forced to vacate their homes")
    assert min(map(len, texts)) > 100


def test_a_study_names_it_like_any_data_set():
    """By its name in the catalog, from an override; the error for an unknown name names the nearest."""
    asked = study.load("quickstart", ["evaluate.general={dataset: lee-news, texts: 20}"])
    assert asked.evaluate.general == General(dataset=config.dataset("lee-news"), texts=20)
    assert study.load("quickstart").evaluate.general is None
    with pytest.raises(UserError, match="unknown data set 'lee-new'. Did you mean 'lee-news'?"):
        study.load("quickstart", ["evaluate.general={dataset: lee-new}"])


def test_forgetting_is_the_difference_of_two_ordinary_values(tiny_gpt2, recipe_texts):
    """Before: the base, or the adapter disabled, the same number. After: with the adapter. By hand: nats,
    bits, bytes. No other metric changes with general text there.
    """
    form, spec = (
        config.document_format("recipe"),
        EvalSpec(max_new_tokens=4, decodings=(Decoding(temperature=0),)),
    )
    base, tokenizer = (
        load(ModelSpec(name="tiny", folder=str(tiny_gpt2)))
        for load in (models.load_base, models.load_tokenizer)
    )
    context = Context(form=form, prompt_mode="title")

    def run(model, texts=tuple(LINES)):
        return outcomes(model, tokenizer, recipe_texts[:3], form, spec, general=texts, precision="fp32")[0]

    def value(found):
        return measure(metric("general_bits_per_byte"), found, context)[0]

    before = run(base)
    plain = run(base, ())
    assert [o.general for o in before] == [False] * 3 + [True] * 3
    assert [o.reference for o in before[3:]] == LINES
    nats = sum(p.nll for o in before[3:] for part, p in o.likelihood.items() if part != "stop")
    assert value(before).value == pytest.approx(nats / math.log(2) / sum(len(t.encode()) for t in LINES))
    assert (value(before).documents, value(plain).value, value(plain).documents) == (3, None, 0)
    for name, item in all_metrics().items():
        if name != "general_bits_per_byte":
            there, rows = measure(item, before, context)
            assert there == measure(item, plain, context)[0]
            assert rows[3:] == [None] * 3

    lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, fan_in_fan_out=True)
    adapted = get_peft_model(base, lora)
    after = run(adapted)
    with adapted.disable_adapter():
        assert run(adapted)[3:] == before[3:]
    assert value(after).value != value(before).value
