"""Every architecture of docs/bases.md, at random weights: trained, reloaded, scored and asked to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from eval.inference.generation import generate
from eval.inference.likelihood import likelihoods
from tests.factories import small_run
from tests.toolkit.models.shapes import SHAPES, make
from toolkit import config
from toolkit.data.batches import collate, encode, pack, prefix_token
from toolkit.data.format import prompt
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models import load
from toolkit.records import Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import Decoding, EvalSpec, MethodSpec, ModelSpec
from toolkit.training.step.loss import NextToken
from toolkit.training.train import train
from toolkit.training.validation import Validation

FULL = MethodSpec(name="full", trainable=("*",))
LORA = MethodSpec(name="lora", peft={"peft_type": "LORA", "r": 4, "target_modules": "all-linear"})
# peft: "Module 'out_proj' is incompatible with Mamba-based models", whose kernel reads its weight directly.
MAMBA = MethodSpec(name="lora", peft={"peft_type": "LORA", "r": 4, "target_modules": ["in_proj", "x_proj"]})
WHOLE_LOGITS = {"gemma2"}  # soft-capped
MIXES = {"opt", "bloom", "falcon", "mamba"}
RATES = {"full": 5e-3, "lora": 3e-2}
GREEDY = Decoding(name="greedy", temperature=0)
LENGTH = EvalSpec(max_new_tokens=12)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> dict[str, ModelSpec]:
    """A folder for each architecture."""
    root = tmp_path_factory.mktemp("bases")
    return {
        kind: ModelSpec(name=kind, folder=str(make(kind, tiny_tokenizer, root / kind))) for kind in SHAPES
    }


def fit(base: ModelSpec, method: MethodSpec, root: Path, texts: list[str], **settings: Any) -> RunFolder:
    """Train on thirty recipes, validate on ten."""
    run = small_run(base, method, RATES[method.name], **{"validations": 1, **settings})
    folder = RunFolder(root, run.run_id)
    train(run, texts[:30], texts[30:], "[END]", folder, progress=lambda _: None)
    return folder


@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda m: m.name)
@pytest.mark.parametrize("kind", SHAPES)
def test_each_base_learns_and_reloads(kind, method, bases, tmp_path, recipe_texts):
    """The loss falls, what is reloaded scores as what was trained, and the output head is left bare."""
    base = bases[kind]
    folder = fit(base, MAMBA if kind == "mamba" and method is LORA else method, tmp_path, recipe_texts)
    curve = [s.validation_nll for s in read_lines(folder.steps, Step) if s.validation_nll is not None]
    assert curve[-1] < curve[0] - 0.1
    model, tokenizer = artifact_files.load_artifact(base, folder.artifact).eval(), load.load_tokenizer(base)
    again = Validation(recipe_texts[30:], tokenizer, 512, "fp32")(model, NextToken(model))
    assert again["eval_nll"] == pytest.approx(curve[-1], rel=1e-5)
    if method is LORA:
        adapted = {name.rpartition(".lora_A")[0] for name, _ in model.named_parameters() if "lora_A" in name}
        assert len(adapted) >= 4
        assert not any(name.endswith(("lm_head", "embed_out")) for name in adapted)


def test_lora_on_all_of_mamba_is_refused_in_pefts_own_words(bases, tmp_path, recipe_texts):
    """Its kernels read `out_proj` directly, so an adapter there would do nothing."""
    with pytest.raises(UserError, match="'out_proj' is incompatible with Mamba-based models"):
        fit(bases["mamba"], LORA, tmp_path, recipe_texts)


@pytest.mark.parametrize("kind", SHAPES)
def test_each_base_scores_and_writes_in_a_batch_as_alone(kind, bases, recipe_texts):
    """Prompts of several lengths, padded on the left; against a loop over argmax without cache or padding."""
    model, tokenizer = load.load_base(bases[kind]).eval(), load.load_tokenizer(bases[kind])
    form = config.document_format("recipe")
    some = recipe_texts[:3]
    together = likelihoods(model, tokenizer, some, form, precision="fp32")
    for text, parts in zip(some, together, strict=True):
        (alone,) = likelihoods(model, tokenizer, [text], form, precision="fp32")
        for name, part in parts.items():
            assert alone[name].nll == pytest.approx(part.nll, rel=1e-4)
    modes = ("title", "ingredients")
    prompts = [prompt(text, form, modes[i % 2]) for i, text in enumerate(recipe_texts[:6])]
    free = argmax_after(model, tokenizer, prompts[0])
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(free[3])  # so that a row ends and leaves the batch
    written = generate(model, tokenizer, prompts, "title", GREEDY, LENGTH)
    expected = [through(argmax_after(model, tokenizer, one), free[3]) for one in prompts]
    assert [w.text for w in written] == [tokenizer.decode(ids) for ids in expected]
    assert written[0].ended == "end_of_text"


@torch.no_grad()
def argmax_after(model: Any, tokenizer: Any, text: str) -> list[int]:
    """The likeliest token after token, each time from the whole text: no cache, no padding, no batch."""
    ids = [prefix_token(tokenizer), *tokenizer(text, add_special_tokens=False).input_ids]
    start = len(ids)
    for _ in range(LENGTH.max_new_tokens):
        ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return ids[start:]


def through(ids: list[int], stop: int) -> list[int]:
    """What comes before the first end-of-text."""
    return ids[: ids.index(stop)] if stop in ids else ids


@pytest.mark.parametrize("kind", SHAPES)
def test_the_loss_of_each_base_is_its_own_in_value_and_gradient(kind, bases, recipe_texts):
    """Ours, the head taken off where that can be, against cross-entropy on the model's own logits."""
    rows = encode(recipe_texts[:3], load.load_tokenizer(bases[kind])).ids
    batch = collate(rows, 0)
    model = load.load_base(bases[kind]).eval()
    logits = model(input_ids=batch["input_ids"], use_cache=False).logits[:, :-1]
    theirs = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten())
    theirs.backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    scorer = NextToken(model)
    assert scorer.chunked == (kind not in WHOLE_LOGITS)
    ours = scorer.loss(model, batch, sum(len(row) - 1 for row in rows))
    ours.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", SHAPES)
def test_packed_documents_stay_apart_or_are_known_to_mix(kind, bases, recipe_texts):
    """Three rows in one score as they do alone, but for the bases whose runs refuse packing."""
    rows = [row[:40] for row in encode(recipe_texts[:3], load.load_tokenizer(bases[kind])).ids]
    model = load.load_base(bases[kind]).eval()
    scorer = NextToken(model)
    packed = scorer.nll(model, pack(rows))[0]
    alone = torch.cat([scorer.nll(model, collate([row], 0))[0] for row in rows])
    assert torch.allclose(packed, alone, rtol=1e-3, atol=1e-3) == (kind not in MIXES)


def test_the_documentation_says_what_these_tests_found():
    """One row an architecture in docs/bases.md: whole logits or chunks, packing or none."""
    text = (Path(__file__).parents[3] / "docs" / "bases.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    rows = {row[0].strip("`"): row[1:3] for row in cells if row and row[0].strip("`") in SHAPES}
    assert rows == {
        kind: ["whole logits" if kind in WHOLE_LOGITS else "chunks", "refused" if kind in MIXES else "yes"]
        for kind in SHAPES
    }


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
def test_documents_beyond_the_context_are_told_in_training_and_scored_in_windows(
    kind, tiny_tokenizer, tmp_path, recipe_texts
):
    """A context of 32 tokens: training names the setting to lower; held-out texts are scored whole."""
    limit = "n_positions" if kind == "gpt2" else "max_position_embeddings"
    folder = make(kind, tiny_tokenizer, tmp_path / kind, **{limit: 32})
    base = ModelSpec(name=kind, folder=str(folder))
    told = rf"tokens is longer than the 32 that this {kind} takes: lower "
    with pytest.raises(UserError, match=told + "train.max_length"):
        fit(base, FULL, tmp_path, recipe_texts)
    longest = max(recipe_texts, key=len)
    with pytest.raises(UserError, match=told + "data.max_characters"):
        fit(base, FULL, tmp_path, [*["Soup. [END]"] * 30, longest])
    fit(base, FULL, tmp_path, ["Soup. [END]"] * 40, max_length=33)
    model, tokenizer = load.load_base(base).eval(), load.load_tokenizer(base)
    (parts,) = likelihoods(model, tokenizer, [longest], config.document_format("recipe"), precision="fp32")
    ids = tokenizer(longest, add_special_tokens=False).input_ids
    assert len(ids) > 32
    assert sum(part.tokens for part in parts.values()) == len(ids) + 1


def test_an_end_of_text_that_is_also_padding_is_learned(tiny_tokenizer, tmp_path):
    """transformers gives the padding row no gradient; here it is the prefix of every row, and gets one."""
    base = ModelSpec(
        name="mine", folder=str(make("llama", tiny_tokenizer, tmp_path / "mine", pad_token_id=0))
    )
    model = load.load_base(base)
    NextToken(model).loss(model, collate([[0, 5, 6, 0]], 0), 3).backward()
    assert model.model.embed_tokens.weight.grad[0].abs().sum() > 0
