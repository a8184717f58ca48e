"""What a method changes beyond its adapter: layers counted from the end, optimizer, ranks, a few-bit base."""

from __future__ import annotations

import pytest
import torch

from toolkit import config
from toolkit.errors import UserError
from toolkit.models import artifact, load, methods, probe
from toolkit.specs import MethodSpec, ModelSpec
from toolkit.training.step import adapters
from toolkit.training.step.loss import NextToken
from toolkit.training.validation import Validation

IDS = torch.arange(1, 40)[None]


def base(folder, quantization=None):
    """The tiny base."""
    return load.load_base(ModelSpec(name="tiny", folder=str(folder)), quantization=quantization)


@pytest.mark.parametrize(("family", "layer"), [("gpt2", "transformer.h.1."), ("llama", "model.layers.1.")])
def test_a_layer_may_be_counted_from_the_end(family, layer, request):
    """`*.-1.*` of two layers is layer 1, whatever the base calls it, and nothing else."""
    model = methods.apply(
        base(request.getfixturevalue(f"tiny_{family}")), MethodSpec(name="last", trainable=("*.-1.*",))
    )
    moving = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert moving == {name for name, _ in model.named_parameters() if name.startswith(layer)}
    assert moving


def test_counting_from_the_end_knows_ten_from_one():
    """Of eleven layers the last is -1 and the second -10; what has no number keeps its name."""
    names = ["wte.weight", *(f"h.{i}.mlp.0.weight" for i in range(11))]
    counted = methods._counted_from_end(names)
    assert (counted[0], counted[2], counted[-1]) == ("wte.weight", "h.-10.mlp.0.weight", "h.-1.mlp.0.weight")


def test_lora_plus_gives_b_sixteen_times_the_rate_of_a(tiny_llama):
    """At 1e-3: A learns at 1e-3, B at 16e-3, with the run's own class, betas and weight decay."""
    method = config.method("lora-plus")
    model = methods.apply(base(tiny_llama), method)
    settings = {"lr": 1e-3, "betas": (0.8, 0.9), "eps": 1e-7}
    made = adapters.optimizer(model, method, torch.optim.AdamW, settings, 0.25)
    names = {weight: name for name, weight in model.named_parameters()}
    rates = {names[w]: group["lr"] for group in made.param_groups for w in group["params"]}
    assert {rate for name, rate in rates.items() if "lora_A" in name} == {1e-3}
    assert {rate for name, rate in rates.items() if "lora_B" in name} == {16e-3}
    assert len(rates) == sum(w.requires_grad for w in model.parameters())
    assert {group["weight_decay"] for group in made.param_groups if group["params"]} == {0.25}
    own = method.model_copy(update={"optimizer": {**(method.optimizer or {}), "weight_decay": 0.5}})
    of_method = adapters.optimizer(model, own, torch.optim.AdamW, {"lr": 1e-3}, 0.25)
    assert {group["weight_decay"] for group in of_method.param_groups if group["params"]} == {0.5}
    assert type(made) is torch.optim.AdamW
    assert made.defaults["betas"] == (0.8, 0.9)


def test_every_optimizer_of_peft_can_be_named(tiny_llama):
    """Each factory takes the run's settings as far as it knows them, and a step of it lowers the loss."""
    from peft import optimizers

    options = {"loraplus": {"loraplus_lr_ratio": 4}, "lorafa": {"r": 16, "lora_alpha": 32}, "riemannian": {}}
    assert {f"create_{name}_optimizer" for name in options} == set(optimizers.__all__)
    for name, given in options.items():
        method = MethodSpec(
            name=name,
            peft={"peft_type": "LORA", "r": 16, "lora_alpha": 32, "target_modules": "all-linear"},
            optimizer={"name": name, **given},
        )
        torch.manual_seed(0)
        model = methods.apply(base(tiny_llama), method)
        made = adapters.optimizer(model, method, torch.optim.AdamW, {"lr": 1e-3}, 0.0)
        losses = []
        for _ in range(3):
            loss = model(input_ids=IDS, labels=IDS).loss
            loss.backward()
            made.step()
            made.zero_grad()
            losses.append(loss.item())
        assert losses[-1] < losses[0], name


def test_adalora_ends_at_its_target_whatever_the_number_of_steps(tiny_llama):
    """From 6 to 4 ranks a layer on average: after the last of ten steps, 14 layers hold 4 x 14 ranks."""
    method = MethodSpec(
        name="ada", peft={"peft_type": "ADALORA", "init_r": 6, "target_r": 4, "target_modules": "all-linear"}
    )
    model = methods.apply(base(tiny_llama), method)
    (callback,) = adapters.callbacks(model, steps=10, warmup=3)
    made = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2)

    class State:
        global_step = 0

    for State.global_step in range(10):
        model(input_ids=IDS, labels=IDS).loss.backward()
        made.step()
        callback.on_optimizer_step(None, State, None)
        made.zero_grad()
        if State.global_step < 3:  # while the learning rate rises, no rank is cut
            assert not model.peft_config["default"].rank_pattern
    kept = model.peft_config["default"].rank_pattern
    assert len(kept) == 14
    assert sum(map(sum, kept.values())) == 4 * 14
    assert model.peft_config["default"].total_step == 10


def test_a_study_that_says_when_adalora_begins_is_obeyed(tiny_llama):
    """From the first step, or from the second, whatever the warm-up; after it if the study does not say."""
    for given, expected in ({"tinit": 0}, 0), ({"tinit": 1}, 1), ({}, 3):
        options = {"peft_type": "ADALORA", "init_r": 6, "target_modules": "all-linear", **given}
        model = methods.apply(base(tiny_llama), MethodSpec(name="ada", peft=options))
        adapters.callbacks(model, steps=10, warmup=3)
        assert model.peft_config["default"].tinit == expected


@pytest.mark.parametrize(
    ("kind", "drawn", "option"),
    [
        ({"peft_type": "VERA"}, "vera_", "projection_prng_key"),
        ({"peft_type": "FOURIERFT", "n_frequency": 100}, "indices", "random_loc_seed"),
    ],
)
def test_what_an_adapter_draws_and_never_trains_depends_on_the_seed(tiny_llama, kind, drawn, option):
    """VeRA's projections and FourierFT's frequencies: another seed, another draw; given, it is kept."""
    options = {**kind, "target_modules": ["q_proj"]}
    seen = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = methods.apply(base(tiny_llama), MethodSpec(name="m", peft=options))
        assert getattr(model.peft_config["default"], option) == seed
        every = {**dict(model.named_buffers()), **vars_of(model, drawn)}
        seen.append([value.clone() for key, value in every.items() if drawn in key])
    assert seen[0]
    assert all(not torch.equal(one, other) for one, other in zip(*seen, strict=True))
    given = methods.apply(base(tiny_llama), MethodSpec(name="m", peft={**options, option: 7}))
    assert getattr(given.peft_config["default"], option) == 7


def vars_of(model, name):
    """Tensors that a layer holds as a plain attribute, by adapter."""
    return {
        f"{place}.{name}.{key}": value
        for place, layer in model.named_modules()
        for key, value in getattr(layer, name, {}).items()
        if torch.is_tensor(value)
    }


def test_virtual_tokens_take_their_places_in_the_context(tiny_llama):
    """Prompt-tuning's come before the text, which has that much less room."""
    plain = base(tiny_llama)
    room = probe.context(plain)
    tuned = methods.apply(plain, config.method("prompt-tuning"))
    assert probe.context(tuned) == room - tuned.peft_config["default"].num_virtual_tokens < room


def test_adaloras_penalty_is_what_peft_adds_to_a_loss_of_its_own(tiny_llama):
    """The loss peft computes with labels, less the plain cross-entropy of the same logits."""
    model = methods.apply(base(tiny_llama), config.method("adalora")).eval()
    out = model(input_ids=IDS, labels=IDS)
    plain = torch.nn.functional.cross_entropy(out.logits[0, :-1], IDS[0, 1:])
    assert adapters.penalty(model).item() == pytest.approx((out.loss - plain).item(), rel=1e-4)
    assert adapters.penalty(model).item() > 0.01
    assert adapters.penalty(methods.apply(base(tiny_llama), config.method("lora-r4"))) is None


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_four_bit_base_passes_gradients_before_and_after_it_is_evaluated(family, request):
    """Linear layers hold 4-bit weights, B gets the same gradient again after an evaluation pass, to 1e-6."""
    method = config.method("qlora")
    model = base(request.getfixturevalue(f"tiny_{family}"), methods.quantization(method))
    torch.manual_seed(0)
    model = methods.apply(model, method).train()
    assert sum(type(w).__name__ == "Params4bit" for w in model.parameters()) >= 8
    scorer, batch = NextToken(model), {"input_ids": IDS, "labels": IDS.clone()}
    first = next(w for name, w in model.named_parameters() if "lora_B" in name)

    def gradient() -> torch.Tensor:
        model.zero_grad()
        scorer.loss(model, batch, 39).backward()
        return first.grad.clone()

    before = gradient()
    assert before.abs().max() > 0
    model.eval()
    scorer.nll(model, batch)
    model.train()
    torch.testing.assert_close(gradient(), before, rtol=1e-6, atol=1e-9)


def test_a_four_bit_base_is_evaluated_as_it_was_validated(tiny_llama, tmp_path, recipe_texts, tiny_tokenizer):
    """Once saved and loaded again, its bits per byte are those of training, to the last digit.

    On CPUs with AVX512-BF16, bitsandbytes would evaluate it by a kernel that computes in bf16.
    """
    method, spec = config.method("qlora"), ModelSpec(name="tiny", folder=str(tiny_llama))
    validation = Validation(recipe_texts[:8], tiny_tokenizer, 1024, "fp32")
    model = methods.apply(base(tiny_llama, methods.quantization(method)), method)
    trained = validation(model, NextToken(model))
    artifact.save_artifact(model, tiny_tokenizer, tmp_path / "artifact")
    again, _ = artifact.load_for_use(spec, tmp_path / "artifact", methods.quantization(method))
    assert validation(again, NextToken(again)) == trained


def test_a_base_that_was_saved_in_four_bits_is_refused(tiny_llama, tiny_tokenizer, tmp_path):
    """It would pass as fp32, and full fine-tuning could not train it; the message names `quantization`."""
    packed = base(tiny_llama, methods.quantization(config.method("qlora")))
    packed.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="saved quantised.*take the model as it was.*load_in_4bit: true"):
        base(tmp_path)


def test_packed_weights_are_counted_as_the_numbers_they_hold(tiny_llama):
    """As many parameters in 4 bits as in fp32."""
    method = config.method("qlora")
    packed = base(tiny_llama, methods.quantization(method))
    assert methods.parameter_counts(packed)[1] == methods.parameter_counts(base(tiny_llama))[1]


def test_quantisation_without_its_package_names_the_extra(monkeypatch):
    """One line: what to install."""
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"method qlora: .*pip install 'bakeoff\[quantization\]'"):
        methods.quantization(config.method("qlora"))


LORA = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"peft": LORA, "optimizer": {"name": "loraplu"}},
            "unknown optimizer 'loraplu'. Did you mean 'loraplus'",
        ),
        (
            {"peft": LORA, "optimizer": {"name": "loraplus"}},
            "method m: optimizer loraplus: .*loraplus_lr_ratio",
        ),
        (
            {"peft": LORA, "quantization": {"load_in_4bits": True}},
            "unknown quantization option 'load_in_4bits'",
        ),
        ({"peft": LORA, "quantization": {"bnb_4bit_quant_type": "nf4"}}, "set load_in_4bit or load_in_8bit"),
        ({"peft": {**LORA, "r": 0}}, "method m: .*`r` should be a positive integer value.*0"),
        (
            {"peft": {**LORA, "target_modules": ["nowhere"]}},
            "method m: Target modules .*nowhere.* not found",
        ),
        (
            {"peft": {**LORA, "target_modules": ["q_proj", "v_projection"]}},
            "target_modules: 'v_projection' is no module. Did you mean 'v_proj'",
        ),
        ({"peft": {**LORA, "alpha_pattern": {"q_proj|k_prj": 2, "up|down": 2}}}, "'up.down' is no module"),
        ({"peft": {**LORA, "modules_to_save": ["norms"]}}, "modules_to_save: 'norms' is no module"),
        ({"peft": {**LORA, "rank_pattern": {"q_prj": 2}}}, "rank_pattern: 'q_prj' is no module"),
        (
            {"peft": {"peft_type": "POLY", "target_modules": "all-linear"}},
            "POLY cannot run on a llama: task_ids",
        ),
        (
            {"peft": {"peft_type": "ADALORA", "tinit": 9, "tfinal": 2}},
            "a run of 10 steps has no room for tinit=9 and tfinal=2",
        ),
        (
            {"peft": {"peft_type": "ADALORA", "tfinal": 20}},
            "a run of 10 steps has no room for tinit=0 and tfinal=20",
        ),
        (
            {"peft": {"peft_type": "ADALORA", "tinit": 0, "tfinal": 9}},
            "a run of 10 steps has no room for tinit=0 and tfinal=9",
        ),
        ({"peft": {**LORA, "target_modules": "*_proj"}}, "method m: peft fails on these options: .*repeat"),
        ({"peft": {"peft_type": "VERA", "r": 0}}, "method m: peft fails on these options: .*"),
    ],
)
def test_what_a_method_cannot_be_is_told_in_one_line(tiny_llama, entry, says):
    """Unknown names, rank 0, a target that is nowhere, an adapter that can't run, too few steps, a glob."""
    method = MethodSpec(name="m", **entry)
    with pytest.raises(UserError, match=says) as caught:
        model = methods.apply(base(tiny_llama, methods.quantization(method)), method)
        adapters.callbacks(model, 10)
        adapters.optimizer(model, method, torch.optim.AdamW, {"lr": 1e-3}, 0.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (
            {"trainable": ["*"], "optimizer": {"name": "loraplus"}},
            "'optimizer' and 'quantization' go with 'peft'",
        ),
        ({"trainable": ["*"], "quantization": {"load_in_4bit": True}}, "go with 'peft'"),
        ({"peft": LORA, "optimizer": {"loraplus_lr_ratio": 2}}, "optimizer: 'name' is missing"),
        (
            {"peft": {**LORA, "init_lora_weights": "eva"}},
            "init_lora_weights: eva is not supported: peft starts",
        ),
        ({"peft": {**LORA, "init_lora_weights": "pissa_niter_16"}}, "is not supported: .*; use pissa"),
        ({"peft": {**LORA, "kasa_config": {}}}, "kasa_config: .* leaves its part of the loss"),
        ({"peft": {"peft_type": "ADAMSS", "use_asa": True}}, "use_asa: True is not supported"),
        ({"peft": {"peft_type": "shadow"}}, "auxiliary_loss_weight: 0.05 is not supported: .*; give 0"),
        ({"peft": {**LORA, "velora_config": {"init_type": "batch_average_once"}}}, "is in no checkpoint"),
        (
            {"peft": LORA, "optimizer": {"name": "loraplus", "loraplus_lr_ratio": 4, "lr": 1e-3}},
            "optimizer: 'lr' cannot be set: the learning rate is the run's",
        ),
    ],
)
def test_an_entry_that_contradicts_itself_is_told(entry, says):
    """An adapter's optimizer without one, an optimizer without a name, options that would do nothing."""
    with pytest.raises(UserError, match=says):
        config.method({"name": "m", **entry})
