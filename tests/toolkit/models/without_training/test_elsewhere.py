"""What was trained elsewhere is evaluated as it is, or refused in a line."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.gguf_files import write_llama
from toolkit import config
from toolkit.errors import UserError
from toolkit.models import artifact, load, locate, methods, probe
from toolkit.models import gguf as conversion
from toolkit.models.without_training import elsewhere
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec, RunSpec, TrainSpec


@pytest.fixture
def base(tiny_gpt2) -> ModelSpec:
    """The tiny GPT-2."""
    return ModelSpec(name="tiny", folder=str(tiny_gpt2))


@pytest.fixture
def trained(tmp_path, base, tiny_tokenizer):
    """Folders of a LoRA adapter and of a whole model that differ from the base, and their logits."""
    folders, logits = {}, {}
    for kind, name in (("adapter", "lora-r16"), ("checkpoint", "full")):
        model = methods.apply(load.load_base(base), config.method(name))
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.05)
        logits[kind] = probe.logits(model, probe.token_ids(model))
        folders[kind] = tmp_path / kind
        artifact.save_artifact(model, tiny_tokenizer, folders[kind])
    return folders, logits


def run_of(base: ModelSpec, **given: str) -> RunSpec:
    """The run of a method that was trained elsewhere."""
    method = elsewhere.pinned(MethodSpec(name="theirs", **given))
    more = {"dataset": None, "data": None, "train": TrainSpec(), "learning_rate": None}
    return RunSpec(model=base, method=method, seed=0, **more)


@pytest.mark.parametrize("kind", ["adapter", "checkpoint"])
def test_what_is_taken_in_has_the_same_logits_to_the_bit(tmp_path, base, trained, kind):
    """Our own adapter and our own model, taken in and loaded again. Unknown costs are None."""
    folders, logits = trained
    run = run_of(base, **{kind: str(folders[kind])})
    folder = RunFolder(tmp_path, run.run_id)
    folder.path.mkdir(parents=True)
    record = elsewhere.take_in(run, folder)
    model, _ = artifact.load_run(record, folder)
    assert torch.equal(probe.logits(model, probe.token_ids(model)), logits[kind])
    assert not run.is_base
    assert record.costs.train_seconds is None
    assert record.data is None
    assert record.costs.artifact_bytes == sum(f.stat().st_size for f in folders[kind].glob("*.safetensors"))
    saved = load_file(folders["adapter"] / "adapter_model.safetensors")
    numbers = sum(weight.numel() for weight in saved.values())
    assert record.costs.trainable_parameters == (numbers if kind == "adapter" else None)


def test_other_files_are_another_run_and_another_path_or_wording_is_not(tmp_path, base, trained):
    """A copy elsewhere, trained by something else in words: the same run. A changed weight: another."""
    first = run_of(base, adapter=str(trained[0]["adapter"]))
    copy = shutil.copytree(trained[0]["adapter"], tmp_path / "copy")
    assert run_of(base, adapter=str(copy), trained_by="axolotl").run_id == first.run_id
    assert run_of(base, adapter=str(copy), trained_on="/x/chats.jsonl").run_id == first.run_id
    weights = load_file(copy / "adapter_model.safetensors")
    save_file({name: weight + 1 for name, weight in weights.items()}, copy / "adapter_model.safetensors")
    assert run_of(base, adapter=str(copy)).run_id != first.run_id
    with pytest.raises(UserError, match="method theirs: '.*' is not the expected one: its SHA-256 is"):
        elsewhere.pinned(first.method.model_copy(update={"adapter": str(copy)}))


def test_what_fits_another_base_is_refused_in_a_line(tmp_path, tiny_llama, base, trained):
    """A GPT-2's adapter and model on a Llama; an adapter that lacks one of its weights."""
    llama = ModelSpec(name="llama", folder=str(tiny_llama))
    folder = RunFolder(tmp_path, "run")
    for kind, says in (("adapter", "the adapter does not fit llama"), ("checkpoint", "is no llama")):
        with pytest.raises(UserError, match=says) as caught:
            elsewhere.take_in(run_of(llama, **{kind: str(trained[0][kind])}), folder)
        assert "\n" not in str(caught.value)
    file = trained[0]["adapter"] / "adapter_model.safetensors"
    weights = load_file(file)
    weights.pop(sorted(weights)[0])
    save_file(weights, file)
    with pytest.raises(UserError, match="does not fit tiny: 1 of its weights differ by name"):
        elsewhere.take_in(run_of(base, adapter=str(trained[0]["adapter"])), folder)
    assert not folder.artifact.exists()


def test_a_gguf_file_is_taken_in_as_its_weights_and_refused_on_another_base(
    tmp_path, tiny_llama, base, monkeypatch
):
    """A Llama written as fp32 GGUF: the Llama's logits to the bit, the file's bytes; no GPT-2's."""
    monkeypatch.setattr(conversion, "cache_folder", lambda: tmp_path / "cache")
    llama = ModelSpec(name="llama", folder=str(tiny_llama))
    file = write_llama(tiny_llama, tmp_path / "theirs.gguf")
    run = run_of(llama, gguf=str(file))
    folder = RunFolder(tmp_path, run.run_id)
    folder.path.mkdir(parents=True)
    record = elsewhere.take_in(run, folder)
    model, _ = artifact.load_run(record, folder)
    first = load.load_base(llama)
    assert torch.equal(
        probe.logits(model, probe.token_ids(first)), probe.logits(first, probe.token_ids(first))
    )
    assert record.costs.artifact_bytes == file.stat().st_size
    assert record.costs.trainable_parameters is None
    copy = shutil.copy(file, tmp_path / "copy.gguf")
    assert run_of(llama, gguf=str(copy), trained_by="llama.cpp").run_id == run.run_id
    with pytest.raises(UserError, match="^method theirs: the GGUF file is no tiny: [^\n]*$"):
        elsewhere.take_in(run_of(base, gguf=str(file)), RunFolder(tmp_path, "other"))
    with pytest.raises(UserError, match="method theirs: no GGUF file '.*nowhere.gguf'"):
        run_of(llama, gguf=str(tmp_path / "nowhere.gguf"))
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF")
    with pytest.raises(UserError, match="^model theirs: cannot convert damaged.gguf: [^\n]*$"):
        elsewhere.take_in(run_of(llama, gguf=str(damaged)), RunFolder(tmp_path, "other"))


@pytest.mark.slow
def test_a_real_quantised_file_is_taken_in(tmp_path):
    """SmolLM2's GGUF in its package, as a method on the base that is made of it: equal to the bit."""
    embedded = config.model("smollm2-135m-embedded")
    (file,) = locate.gguf_files(embedded)
    run = run_of(embedded, gguf=str(file))
    folder = RunFolder(tmp_path, run.run_id)
    folder.path.mkdir(parents=True)
    record = elsewhere.take_in(run, folder)
    model, _ = artifact.load_run(record, folder)
    theirs, ours = (probe.logits(one, probe.token_ids(one)) for one in (model, load.load_base(embedded)))
    assert torch.equal(theirs, ours)
    assert record.costs.artifact_bytes == file.stat().st_size == 98_362_432


def test_an_adapter_that_names_another_hub_base_is_refused(tmp_path, trained):
    """`other/model` is not `owner/tiny`; nothing is downloaded to find out."""
    path = trained[0]["adapter"] / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "other/model"}))
    hub = ModelSpec(name="tiny", hub="owner/tiny")
    with pytest.raises(
        UserError, match="one of 'other/model', not of 'owner/tiny'.*published_as: other/model"
    ):
        elsewhere.take_in(run_of(hub, adapter=str(trained[0]["adapter"])), RunFolder(tmp_path, "run"))
    mirror = hub.model_copy(update={"published_as": "other/model"})
    elsewhere._check_named_base(run_of(mirror, adapter=str(trained[0]["adapter"])))  # as the message says


@pytest.mark.parametrize("kind", ["adapter", "checkpoint", "gguf"])
def test_an_empty_path_is_refused(kind):
    """As of a shell's variable that was never set; it is not taken for a method that trains."""
    with pytest.raises(ValueError, match="an empty path or name"):
        MethodSpec(name="theirs", **{kind: ""})


def test_a_folder_of_something_else_or_of_pickles_is_refused(tmp_path, trained):
    """Empty; an adapter's configuration beside a pickle."""
    (tmp_path / "empty").mkdir()
    for given, says in (
        ({"adapter": "empty"}, "no adapter_config.json"),
        ({"checkpoint": "empty"}, "no config"),
    ):
        with pytest.raises(UserError, match=says):
            elsewhere.pinned(MethodSpec(name="theirs", **{k: str(tmp_path / v) for k, v in given.items()}))
    file = trained[0]["adapter"] / "adapter_model.safetensors"
    file.rename(file.with_name("adapter_model.bin"))
    with pytest.raises(UserError, match="no safetensors file .* A pickle can run code"):
        elsewhere.pinned(MethodSpec(name="theirs", adapter=str(trained[0]["adapter"])))


def test_a_method_is_trained_here_or_elsewhere():
    """Both, or words on who trained what is trained here: refused."""
    for given in ({"adapter": "a", "trainable": ["*"]}, {"adapter": "a", "checkpoint": "b"}):
        with pytest.raises(UserError, match="give either 'trainable'"):
            config.method({"name": "theirs", **given})
    with pytest.raises(UserError, match="'trained_by' goes with"):
        config.method({"name": "theirs", "trainable": ["*"], "trained_by": "us"})
