"""What another run left, converted: to LoRA, merged, rounded, or drawn at random as a floor."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from toolkit import config
from toolkit.errors import UserError
from toolkit.models import artifact, load, methods, probe
from toolkit.models.without_training.conversions import convert, random_like
from toolkit.records import Costs, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec, RunSpec, TrainSpec

LOHA = {"name": "loha", "peft": {"peft_type": "LOHA", "r": 4, "target_modules": "all-linear"}}


@pytest.fixture
def base(tiny_llama) -> ModelSpec:
    """The tiny Llama."""
    return ModelSpec(name="tiny", folder=str(tiny_llama))


@pytest.fixture
def trained(tmp_path, base, tiny_tokenizer):
    """A function that leaves a run of a method, trainable weights moved by noise; its folder and logits."""

    def make(method, status="finished", on=base):
        spec = config.method(method)
        model = methods.apply(load.load_base(on), spec)
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        run = RunSpec(
            model=on, dataset=None, data=None, method=spec, learning_rate=1e-3, train=TrainSpec(), seed=3
        )
        folder = RunFolder(tmp_path, run.run_id)
        artifact.save_artifact(model, tiny_tokenizer, folder.artifact)
        trainable, total = methods.parameter_counts(model)
        RunRecord(
            run_id=run.run_id,
            spec=run,
            status=status,
            validation_bits_per_byte=1.0,
            data=None,
            costs=Costs(trainable_parameters=trainable, total_parameters=total),
            precision=None,
            environment={},
        ).write(folder.record)
        return folder, probe.logits(model, probe.token_ids(model))

    return make


def converted(base, source: RunFolder, **to):
    """The record, the folder and the logits of a run that converts ``source``."""
    method = MethodSpec(name="converted", convert="source", **to)
    more = {"dataset": None, "data": None, "train": TrainSpec(), "learning_rate": None}
    run = RunSpec(model=base, method=method, seed=3, converts=source.path.name, **more)
    folder = RunFolder(source.path.parents[1], run.run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    record = convert(run, folder, source)
    model, _ = artifact.load_run(record, folder)
    return record, folder, probe.logits(model, probe.token_ids(model))


def test_random_weights_have_the_norm_of_the_trained_ones():
    """(3, 4) has norm 5, and so has what is drawn; zeros stay zeros and whole numbers themselves."""
    weights = {"b": torch.tensor([3.0, 4.0]), "a": torch.zeros(3), "steps": torch.tensor([7])}
    drawn = random_like(weights, seed=0)
    assert drawn["b"].norm().item() == pytest.approx(5)
    assert not torch.equal(drawn["b"], weights["b"])
    assert drawn["a"].tolist() == [0, 0, 0]
    assert drawn["steps"].tolist() == [7]
    assert torch.equal(drawn["b"], random_like(weights, seed=0)["b"])
    assert not torch.equal(drawn["b"], random_like(weights, seed=1)["b"])


def test_a_floor_is_an_adapter_of_the_same_shapes_and_norms(base, trained):
    """Each of its weights has the trained one's shape and norm; as many parameters, and unknown costs."""
    source, logits = trained("lora-r16")
    record, folder, drawn = converted(base, source, to="random")
    before, after = (load_file(f.artifact / "adapter_model.safetensors") for f in (source, folder))
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert after[name].shape == weight.shape
        assert after[name].norm().item() == pytest.approx(weight.norm().item(), rel=1e-5)
    assert not torch.allclose(drawn, logits)
    costs = RunRecord.read(source.record).costs
    assert record.costs.trainable_parameters == sum(weight.numel() for weight in before.values())
    assert (record.costs.trainable_parameters, record.costs.total_parameters) == (
        costs.trainable_parameters,
        costs.total_parameters,
    )
    assert record.costs.train_seconds is record.costs.peak_memory_bytes is None
    assert not record.spec.is_base


def test_merging_loses_nothing_and_rounding_halves_the_bytes(base, trained):
    """W + BA in fp32 has the adapter's logits to 1e-4; in bf16 every weight is its own rounding."""
    source, logits = trained("lora-r16")
    merged, folder, same = converted(base, source, to="merged")
    assert torch.allclose(same, logits, atol=1e-4)
    rounded, second, near = converted(base, source, to="bf16")
    first, last = (load_file(f.artifact / "model.safetensors") for f in (folder, second))
    for name, weight in first.items():
        assert torch.equal(last[name], weight.to(torch.bfloat16))
    assert not torch.equal(near, same)
    # Each file has a header of the same few kilobytes.
    assert rounded.costs.artifact_bytes == pytest.approx(merged.costs.artifact_bytes / 2, rel=0.05)
    assert merged.costs.trainable_parameters is None
    count = sum(weight.numel() for weight in load.load_base(base).parameters())
    assert merged.costs.total_parameters == rounded.costs.total_parameters == count


def test_a_full_model_can_be_rounded_and_not_merged(base, trained):
    """It has no adapter: `bf16` rounds it, everything else is refused in a line."""
    source, _ = trained("full")
    assert converted(base, source, to="bf16")[0].costs.trainable_parameters is None
    for to, what in (
        ({"to": "merged"}, "to merge"),
        ({"to": "lora", "rank": 4}, "to convert"),
        ({"to": "random"}, "to draw"),
    ):
        with pytest.raises(UserError, match=f"^method converted: .* left no adapter: .* {what}[^\n]*$"):
            converted(base, source, **to)


def test_lohas_product_is_a_lora_at_enough_rank_and_an_approximation_below(base, trained):
    """LoHa of rank 4 multiplies two matrices of rank 4: rank 16 holds it all, half of it less."""
    source, logits = trained(LOHA)
    error = {}
    for rank in (16, 2, 0.5):
        record, folder, near = converted(base, source, to="lora", rank=rank)
        error[rank] = (near - logits).abs().max().item()
        assert record.costs.trainable_parameters == sum(
            weight.numel() for weight in load_file(folder.artifact / "adapter_model.safetensors").values()
        )
    assert error[16] < 1e-4 < error[2]
    assert error[0.5] > 1e-4


def test_what_cannot_be_converted_is_refused_in_a_line(base, trained, tmp_path):
    """A run that is missing, one that diverged, a trained prompt, and a rank above that of the layer."""
    with pytest.raises(UserError, match="^method converted: gone has not finished: there is nothing[^\n]*$"):
        converted(base, RunFolder(tmp_path, "gone"), to="merged")
    diverged, _ = trained("lora-r16", status="diverged")
    with pytest.raises(UserError, match="^method converted: [^\n]* diverged: there is nothing to convert$"):
        converted(base, diverged, to="random")
    prompt = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 4}
    source, _ = trained({"name": "prompt", "peft": prompt})
    for to in ({"to": "merged"}, {"to": "lora", "rank": 4}):
        with pytest.raises(UserError, match="^method converted: [^\n]* can't (be merged|convert)[^\n]*$"):
            converted(base, source, **to)
    assert not list(tmp_path.glob("runs/tiny.converted.*/artifact"))


@pytest.mark.parametrize("changed", [{"init_lora_weights": "pissa"}, {"bias": "all"}])
def test_an_adapter_on_a_base_of_its_own_is_merged_or_not_converted(base, trained, changed):
    """PiSSA takes its first directions out of the base; put on the untouched base they would count twice."""
    options = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear", **changed}
    source, logits = trained({"name": "own", "peft": options})
    for to in {"to": "lora", "rank": 4}, {"to": "random"}:
        with pytest.raises(UserError, match="changes weights of its base.*to: merged"):
            converted(base, source, **to)
    *_, merged = converted(base, source, to="merged")
    assert torch.allclose(merged, logits, atol=1e-4)


@pytest.mark.parametrize("target", ["lm_head", "wte"])
def test_an_adapter_on_a_tied_embedding_is_not_merged(tiny_gpt2, trained, target):
    """GPT-2's embedding is its output head too: merged into the one, an adapter would change the other."""
    options = {"peft_type": "LORA", "r": 4, "target_modules": [target], "init_lora_weights": False}
    tied = ModelSpec(name="tiny", folder=str(tiny_gpt2))
    source, _ = trained({"name": "tied", "peft": options}, on=tied)
    for to in ("merged", "bf16"):
        with pytest.raises(UserError, match="merged, the model is another one .* it would change both$"):
            converted(tied, source, to=to)


def test_biases_that_a_conversion_would_lose_are_refused(base, trained):
    """`lora_bias: true`: peft's conversion to LoRA leaves them out."""
    options = {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"], "lora_bias": True}
    source, _ = trained({"name": "biased", "peft": options})
    with pytest.raises(UserError, match="lora_bias: true trains biases"):
        converted(base, source, to="lora", rank=4)


def test_a_conversion_is_another_run_with_another_source_or_way_and_not_with_another_name(base):
    """The name of what is converted is a label: the id of the converted run is what counts."""
    more = {"dataset": None, "data": None, "train": TrainSpec(), "learning_rate": None, "seed": 0}

    def run_id(converts="a", convert="x", **to):
        method = MethodSpec(name="converted", convert=convert, **to)
        return RunSpec(model=base, method=method, converts=converts, **more).run_id

    assert run_id(to="merged") == run_id(to="merged", convert="y")
    every = [
        run_id(to="merged"),
        run_id(to="merged", converts="b"),
        run_id(to="bf16"),
        run_id(to="lora", rank=4),
        run_id(to="lora", rank=8),
    ]
    assert len(set(every)) == 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"convert": "a"}, "'convert' \\(a method\\) and 'to' .* go together"),
        ({"to": "merged", "trainable": ["*"]}, "'convert' \\(a method\\) and 'to' .* go together"),
        ({"convert": "a", "to": "lora"}, "'to: lora' and 'rank' go together"),
        ({"convert": "a", "to": "merged", "rank": 4}, "'to: lora' and 'rank' go together"),
        (
            {"convert": "a", "to": "lora", "rank": 16.0},
            "'rank' is a whole number from 1 up, or a share below 1",
        ),
        ({"convert": "a", "to": "gguf"}, "'to' is 'gguf'; it should be 'lora', 'merged', 'bf16' or 'random'"),
        ({"convert": "a", "to": "merged", "adapter": "b"}, "give either 'trainable'"),
        ({"convert": "a", "to": "merged", "train": {"epochs": 2}}, "'train' has no effect"),
    ],
)
def test_the_grammar_is_checked(given, says):
    """What goes together, what does not, and the four ways."""
    with pytest.raises(UserError, match=says):
        config.method({"name": "converted", **given})
