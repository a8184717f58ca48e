"""Likelihoods are lm-evaluation-harness's, on the same texts and weights."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from eval.inference.likelihood import likelihoods
from eval.inference.outcomes import outcomes
from eval.metrics import Context, measure, metric
from toolkit import config
from toolkit.data.cleaning import to_document
from toolkit.data.format import document_id, render
from toolkit.data.sources.open import open_source
from toolkit.models import artifact as artifact_files
from toolkit.models import load
from toolkit.records import Outcome
from toolkit.specs import EvalSpec, ModelSpec


def theirs(folder: Path, texts: list[str], adapter: Path | None = None) -> list[float]:
    """Rolling log-likelihood of each text, nats, by lm-evaluation-harness in fp32 on the CPU."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    peft = None if adapter is None else str(adapter)
    model = HFLM(pretrained=str(folder), peft=peft, device="cpu", dtype="float32", batch_size=4)
    requests = [
        Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0) for text in texts
    ]
    return model.loglikelihood_rolling(requests, disable_tqdm=True)


def ours(spec: ModelSpec, texts: list[str]) -> list[Outcome]:
    """The evaluation pass's outcomes of each text, in fp32 on the CPU."""
    form = config.document_format("recipe")
    model, tokenizer = load.load_base(spec).eval(), load.load_tokenizer(spec)
    scored = likelihoods(model, tokenizer, texts, form, precision="fp32")
    return [
        Outcome(document_id=document_id(text), title="", reference=text, likelihood=parts)
        for text, parts in zip(texts, scored, strict=True)
    ]


def check(spec: ModelSpec, texts: list[str]) -> None:
    """Each text's log-likelihood, bits per byte and word perplexity of all, to 1e-5 relative."""
    from lm_eval.api.metrics import bits_per_byte, weighted_perplexity

    found, expected = ours(spec, texts), theirs(load.local_folder(spec), texts)
    for outcome, value in zip(found, expected, strict=True):
        nll = sum(part.nll for name, part in outcome.likelihood.items() if name != "stop")
        assert nll == pytest.approx(-value, rel=1e-5)
    context = Context(form=config.document_format("recipe"))
    sizes = [len(text.encode()) for text in texts]
    tokens = [sum(p.tokens for name, p in o.likelihood.items() if name != "stop") for o in found]
    words = [len(text.split()) for text in texts]
    for name, formula, weights in (
        ("bits_per_byte", bits_per_byte, sizes),
        ("perplexity", weighted_perplexity, tokens),
        ("word_perplexity", weighted_perplexity, words),
    ):
        value, _ = measure(metric(name), found, context)
        theirs_value = formula(list(zip(expected, weights, strict=True)))
        close = 1e-5 if name != "word_perplexity" else 1e-4  # exp of nats a word: the error grows with them
        assert value.value == pytest.approx(theirs_value, rel=close)


def test_real_weights_on_real_recipes(tmp_path):
    """SmolLM2-135M on four of twenty Wikibooks recipes, the three shortest and the longest."""
    form, dataset = config.document_format("recipe"), config.dataset("wikibooks")
    rows = islice(open_source(dataset, tmp_path).rows(), 0, 200, 10)
    texts = [render(to_document(row, form, dataset.fields, Counter()), form) for row in rows]
    texts.sort(key=len)
    check(config.model("smollm2-135m-embedded"), [*texts[:3], texts[-1]])


def test_texts_longer_than_the_context(tiny_gpt2, recipe_texts):
    """256 positions; texts of 60, 255 to 258, 400 and 1,000 tokens: one window, the edge, several."""
    tokenizer = load.load_tokenizer(ModelSpec(name="tiny", folder=str(tiny_gpt2)))
    long = "RECIPE: Long\nINGREDIENTS: salt\nDIRECTIONS:" + " Stir the rice." * 700
    ids = tokenizer(long, add_special_tokens=False, return_offsets_mapping=True)
    texts = [recipe_texts[0]]
    for count in (255, 256, 257, 258, 400, 1000):
        text = long[: ids.offset_mapping[count - 1][1]]
        assert len(tokenizer(text, add_special_tokens=False).input_ids) == count
        texts.append(text)
    check(ModelSpec(name="tiny", folder=str(tiny_gpt2)), texts)


def artifact(kind: str, base: Path, folder: Path) -> Path:
    """The tiny base, moved by full fine-tuning or by an adapter: weights that bf16 does not hold."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if kind == "lora":
        model = get_peft_model(model, LoraConfig(r=4, target_modules=["c_attn"], init_lora_weights=False))
    elif kind == "full":
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight), alpha=0.01)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["base", "full", "lora"])
def test_likelihoods_are_fp32_whatever_the_run_computes_in(kind, tiny_gpt2, tmp_path, recipe_texts):
    """The run is bf16; six texts agree to 1e-5 in total and 1e-4 each. bf16 on request gives other values."""
    texts, spec = recipe_texts[:6], ModelSpec(name="tiny", folder=str(tiny_gpt2))
    folder = artifact(kind, tiny_gpt2, tmp_path / kind)

    def ours(**settings: str) -> list[float]:
        model = load.load_base(spec) if kind == "base" else artifact_files.load_artifact(spec, folder)
        asked = EvalSpec(generations=1, max_new_tokens=1, **settings)
        made, _ = outcomes(
            model, load.load_tokenizer(spec), texts, config.document_format("recipe"), asked, precision="bf16"
        )
        return [sum(p.nll for name, p in o.likelihood.items() if name != "stop") for o in made]

    lora = folder if kind == "lora" else None
    expected = [-value for value in theirs(tiny_gpt2 if lora else folder, texts, lora)]
    exact, rounded = ours(), ours(likelihood_precision="bf16")
    assert sum(exact) == pytest.approx(sum(expected), rel=1e-5)
    assert exact == pytest.approx(expected, rel=1e-4)
    assert rounded != pytest.approx(exact, rel=2e-6)
