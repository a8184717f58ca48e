"""A base that is kept is loaded once, and read by all."""

from __future__ import annotations

import pytest
import torch

from toolkit import config
from toolkit.models import artifact, load, methods, probe
from toolkit.specs import ModelSpec


@pytest.fixture
def base(tiny_gpt2):
    """The tiny GPT-2; nothing is kept before and after."""
    yield ModelSpec(name="tiny", folder=str(tiny_gpt2))
    load.keep(None)


def logits(model):
    """Of the model for the tokens that every probe uses."""
    return probe.logits(model.eval(), probe.token_ids(model))


def test_several_adapters_are_read_on_one_loaded_base(tmp_path, base, tiny_tokenizer, monkeypatch):
    """Two methods, one of which rewrites the base's weights as it loads, twice each: logits as from disk."""
    folders = {}
    for name in ("lora-r16", "pissa"):
        model = methods.apply(load.load_base(base), config.method(name))
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(0.05)
        folders[name] = tmp_path / name
        artifact.save_artifact(model, tiny_tokenizer, folders[name])
    alone = {name: logits(artifact.load_artifact(base, folder)) for name, folder in folders.items()}
    untouched = logits(load.load_base(base))
    load.keep(base)
    monkeypatch.setattr(load, "load_base", None)
    load.keep(base)  # it is there
    for name in [*folders, *folders]:
        assert torch.equal(logits(artifact.load_artifact(base, folders[name])), alone[name])
        assert torch.equal(logits(load.load_to_read(base)), untouched)


def test_an_adapter_that_changes_the_base_reads_one_of_its_own(tmp_path, tiny_llama, tiny_tokenizer):
    """OLoRA subtracts its start from the base in place: once, however often it is loaded on a kept base."""
    base = ModelSpec(name="tiny", folder=str(tiny_llama))
    model = methods.apply(load.load_base(base), config.method("olora"))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.05)
    artifact.save_artifact(model, tiny_tokenizer, tmp_path / "olora")
    alone, untouched = logits(artifact.load_artifact(base, tmp_path / "olora")), logits(load.load_base(base))
    load.keep(base)
    for _ in range(2):
        assert torch.equal(logits(artifact.load_artifact(base, tmp_path / "olora")), alone)
        assert torch.equal(logits(load.load_to_read(base)), untouched)
    load.keep(None)


def test_a_reader_has_a_model_of_its_own_on_the_same_memory(base):
    """Rounding one leaves the others as they are; tied weights stay tied; nothing is kept at the end."""
    load.keep(base)
    one, other = load.load_to_read(base), load.load_to_read(base)
    weights = [model.get_input_embeddings().weight for model in (one, other)]
    assert weights[0] is not weights[1]
    assert weights[0].data_ptr() == weights[1].data_ptr()
    assert weights[0] is one.get_output_embeddings().weight
    before = logits(other)
    one.to(torch.bfloat16)
    assert weights[1].dtype == torch.float32
    assert torch.equal(logits(other), before)
    load.keep(None)
    again = load.load_to_read(base).get_input_embeddings().weight
    assert again.data_ptr() != weights[1].data_ptr()
    assert torch.equal(again, weights[1])


def test_a_base_that_cannot_be_loaded_is_not_kept_and_threads_stay(tmp_path, base):
    """The one before is given up; as many threads as before compute."""
    threads = torch.get_num_threads()
    load.keep(base)
    with pytest.raises(Exception, match="no config"):
        load.keep(ModelSpec(name="tiny", folder=str(tmp_path)))
    assert not load._kept
    assert torch.get_num_threads() == threads
