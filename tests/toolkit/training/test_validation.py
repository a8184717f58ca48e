"""The first validation of models that start as the same base model is computed once."""

from __future__ import annotations

import json

import pytest

from toolkit.models import load, methods
from toolkit.specs import MethodSpec, ModelSpec
from toolkit.training.step.loss import NextToken
from toolkit.training.validation import Validation

LORA = MethodSpec(name="lora", peft={"peft_type": "LORA", "r": 4, "target_modules": "all-linear"})


class Counted(NextToken):
    """Counts the batches it scores."""

    batches = 0

    def nll(self, model, batch):
        """One more."""
        self.batches += 1
        return super().nll(model, batch)


@pytest.fixture
def validate(recipe_texts, tiny_tokenizer, tmp_path):
    """A function: model -> what its validation says, and how many batches it took."""

    def run(model, cached=True):
        counted = Counted(model)
        validation = Validation(recipe_texts, tiny_tokenizer, 512, "fp32")
        return validation(model, counted, tmp_path if cached else None), counted.batches

    return run


def models(folder):
    """The base with all weights trainable, and with an adapter that is the identity."""
    for method in (MethodSpec(name="full", trainable=("*",)), LORA):
        yield methods.apply(load.load_base(ModelSpec(name="tiny", folder=str(folder))), method)


def test_an_adapter_that_starts_as_the_base_has_the_bases_validation(validate, tiny_gpt2):
    """The base's many batches and a document; of the adapter that document, and the same numbers."""
    full, adapted = models(tiny_gpt2)
    expected, batches = validate(full)
    assert batches > 3
    assert validate(adapted) == (expected, 1)
    assert validate(adapted, cached=False) == (expected, batches - 1)


def test_another_model_is_validated_whole(validate, tiny_gpt2):
    """One weight moved: every batch is computed, and the numbers are its own."""
    full, adapted = models(tiny_gpt2)
    expected, batches = validate(full)
    next(weight for weight in adapted.parameters() if weight.requires_grad).data[0] += 0.1
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            weight.data[0] += 0.1
    values, again = validate(adapted)
    assert again == batches
    assert values != expected


def test_a_damaged_file_is_computed_again(validate, tiny_gpt2, tmp_path):
    """A changed number in the stored sums is noticed by their hash."""
    full, adapted = models(tiny_gpt2)
    expected, batches = validate(full)
    (file,) = tmp_path.glob("validation-*.json")
    text = file.read_text()
    first, _, digest = text.partition("\n")
    stored = json.loads(first)
    stored["sums"][1][0] += 1
    for damaged in (f"{json.dumps(stored)}\n{digest}", text[:-1], "{", ""):
        file.write_text(damaged)
        assert validate(adapted) == (expected, batches)
