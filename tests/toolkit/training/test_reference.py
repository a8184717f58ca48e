"""A run is the loop of a textbook, written out here: its order, losses, rates, weights and validation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.factories import FULL, LORA, small_run
from toolkit.catalog import method as catalog_method
from toolkit.data import batches as tokens
from toolkit.records import RunRecord, Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, RunSpec
from toolkit.training.train import train

RATE = 2e-3
ADAM = {"weight_decay": 10.0, "max_grad_norm": 0.5, "accumulate": 2, "epochs": 4, "warmup": 0.3}
NO_DROPOUT = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)


class Plain(NamedTuple):
    """What a loop gives."""

    losses: list[float]
    norms: list[float]
    rates: list[float]
    bits: float
    weights: dict[str, torch.Tensor]


def ran(run: RunSpec, root: Path, texts: list[str]) -> tuple[RunRecord, list[Step], dict[str, torch.Tensor]]:
    """Train on thirty recipes, validate on ten: the record, the steps and what was saved."""
    folder = RunFolder(root, run.run_id)
    record = train(run, texts[:30], texts[30:], "[END]", folder, progress=lambda _: None)
    (file,) = folder.artifact.glob("*.safetensors")
    return record, [s for s in read_lines(folder.steps, Step) if s.loss is not None], load_file(file)


def height(step: int, steps: int, warmup: int, schedule: str) -> float:
    """The share of the learning rate that the update ``step``, from zero, is made with."""
    if step < warmup:
        return step / warmup
    done = (step - warmup) / (steps - warmup)
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def plain(run: RunSpec, texts: list[str]) -> Plain:
    """AdamW over the planned batches, every token's nats summed and divided by the tokens of the step."""
    settings = run.train
    model = AutoModelForCausalLM.from_pretrained(run.model.folder, **NO_DROPOUT).train()
    tokenizer = AutoTokenizer.from_pretrained(run.model.folder)
    ids = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    rows = [row if row[0] == tokenizer.eos_token_id else [tokenizer.eos_token_id, *row] for row in ids]
    planned = tokens.training_batches(
        [len(row) for row in rows[:30]], settings.batch_tokens, epochs=settings.epochs, seed=run.seed
    )
    stepwise = [planned[i : i + settings.accumulate] for i in range(0, len(planned), settings.accumulate)]
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=run.learning_rate)
    losses, norms, rates = [], [], []
    warmup = math.ceil(settings.warmup * len(stepwise))
    for number, micro in enumerate(stepwise):
        nats = sum(nll(model, [rows[i]]) for batch in micro for i in batch)
        loss = nats / sum(len(rows[i]) - 1 for batch in micro for i in batch)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm).item())
        rates.append(run.learning_rate * height(number, len(stepwise), warmup, settings.schedule))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        nats = sum(nll(model.eval(), [row[:-1]]).item() for row in rows[30:])
    bits = nats / math.log(2) / sum(len(text.encode()) for text in texts[30:])
    return Plain(losses, norms, rates, bits, dict(model.named_parameters()))


def nll(model: Any, rows: list[list[int]]) -> torch.Tensor:
    """Nats of all tokens but the first, one document at a time."""
    ids = torch.tensor(rows)
    return cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="sum")


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_run_of_full_fine_tuning_is_the_plain_loop(tiny_gpt2, tmp_path, recipe_texts, schedule):
    """Each step's loss, gradient norm and rate; the last weights; bits per byte without end-of-text."""
    run = small_run(tiny_gpt2, FULL, RATE, schedule=schedule, validations=1, **ADAM)
    record, steps, weights = ran(run, tmp_path, recipe_texts)
    expected = plain(run, recipe_texts)
    assert len(steps) == len(expected.losses) >= 6
    assert [s.loss for s in steps] == pytest.approx(expected.losses, rel=1e-4)
    assert [s.gradient_norm for s in steps] == pytest.approx(expected.norms, rel=1e-3)
    assert max(expected.norms) > ADAM["max_grad_norm"]  # so that clipping shows
    assert [s.learning_rate for s in steps] == pytest.approx(expected.rates, rel=1e-6)
    assert record.validation_bits_per_byte == pytest.approx(expected.bits, rel=1e-4)
    for name, weight in expected.weights.items():
        torch.testing.assert_close(weights[name], weight.detach(), rtol=1e-2, atol=1e-4)


def test_seed_and_dropout_reach_training(tiny_gpt2, tmp_path, recipe_texts, monkeypatch):
    """Another seed: other batches, another fresh adapter, and, given the same batches, other dropout."""
    first, second = (
        ran(small_run(tiny_gpt2, LORA, RATE, seed=seed), tmp_path, recipe_texts) for seed in (0, 1)
    )
    assert first[0].data.stream_hash != second[0].data.stream_hash
    planned = tokens.training_batches

    def of_seed_0(*args: Any, **settings: Any) -> list[list[int]]:
        return planned(*args, **{**settings, "seed": 0})

    monkeypatch.setattr(tokens, "training_batches", of_seed_0)
    losses = {
        (method.name, dropout, seed): ran(
            small_run(tiny_gpt2, method, RATE, seed=seed, dropout=dropout), tmp_path / "fixed", recipe_texts
        )
        for method, dropout, seed in [(FULL, 0.0, 0), (FULL, 0.0, 1), (FULL, 0.5, 0), (FULL, 0.5, 1)]
    }
    at = {key: [step.loss for step in steps] for key, (_, steps, _) in losses.items()}
    assert at["full", 0.0, 0] == at["full", 0.0, 1]
    assert len({tuple(one) for one in at.values()}) == 3


def test_a_fresh_adapter_depends_on_the_seed_alone(tiny_gpt2, tmp_path, recipe_texts):
    """A rate of 1e-12 leaves the random half of LoRA as it began."""
    runs = [small_run(tiny_gpt2, LORA, 1e-12, seed=seed) for seed in (0, 1, 0)]
    a, b, again = (ran(run, tmp_path / str(i), recipe_texts)[2] for i, run in enumerate(runs))
    name = next(name for name in a if "lora_A" in name)
    assert torch.equal(a[name], again[name])
    assert (a[name] - b[name]).abs().max() > 0.01


def test_optimizers_of_methods_are_used(tiny_gpt2, tmp_path, recipe_texts):
    """After one step LoRA's B is one rate from zero and LoRA+'s 16; LoRA-FA leaves A as it was."""
    plus = catalog_method("lora-plus")
    peft = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}
    methods = {
        "lora": LORA,
        "plus": MethodSpec(name="plus", peft=peft, optimizer=plus.optimizer),
        "fa": MethodSpec(name="fa", peft=peft, optimizer={"name": "lorafa", "r": 4, "lora_alpha": 8}),
    }
    moved = {}
    for name, method in methods.items():
        for rate in (1e-3, 1e-12):
            run = small_run(tiny_gpt2, method, rate, batch_tokens=100_000, max_grad_norm=1e9)
            record, _, moved[name, rate] = ran(run, tmp_path, recipe_texts)
            assert record.costs.steps == 1
    b, a = (next(name for name in moved["lora", 1e-3] if half in name) for half in ("lora_B", "lora_A"))
    assert moved["lora", 1e-3][b].abs().max() == pytest.approx(1e-3, rel=0.01)
    assert moved["plus", 1e-3][b].abs().max() == pytest.approx(16e-3, rel=0.01)
    assert torch.equal(moved["fa", 1e-3][a], moved["fa", 1e-12][a])
    assert moved["fa", 1e-3][b].abs().max() > 0


def test_adalora_prunes_and_its_penalty_has_a_gradient(tiny_gpt2, tmp_path, recipe_texts):
    """Ranks are taken away as training goes on; orthogonality, weighted by 100, gives other weights."""
    weights = {}
    for weight in (0.0, 100.0):
        options = {"peft_type": "ADALORA", "init_r": 6, "target_r": 2, "orth_reg_weight": weight}
        method = MethodSpec(name=f"ada{weight:g}", peft={**options, "target_modules": ["c_attn", "c_fc"]})
        run = small_run(tiny_gpt2, method, RATE, epochs=4)
        _, _, weights[weight] = ran(run, tmp_path, recipe_texts)
    scales = torch.cat([one.flatten() for name, one in weights[0.0].items() if "lora_E" in name])
    assert scales.numel() == 2 * 4  # of 6 ranks in each of four layers two are left
    without, with_it = weights[0.0], weights[100.0]
    assert not all(torch.equal(without[name], with_it[name]) for name in without)
