"""What a model can't be given is refused before it fails inside torch."""

from __future__ import annotations

import pytest
from transformers import AutoModelForCausalLM

from eval.inference.likelihood import nlls_of_rows
from tests.factories import FULL, small_run
from toolkit.errors import UserError
from toolkit.events import ignore
from toolkit.models import probe
from toolkit.records.folders import RunFolder
from toolkit.training.train import train

SAYS = r"gives token \d+, and this gpt2 has 300 embeddings: take the tokenizer that belongs to it"


@pytest.fixture
def smaller(tiny_gpt2, tiny_tokenizer, tmp_path):
    """The tiny base with 300 of its 400 embeddings, and its whole tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    model.resize_token_embeddings(300)
    model.save_pretrained(tmp_path / "smaller")
    tiny_tokenizer.save_pretrained(tmp_path / "smaller")
    return tmp_path / "smaller"


def test_a_token_without_an_embedding_is_refused_in_training(smaller, tmp_path, recipe_texts):
    """Before the first step: torch would end with an IndexError that names nothing."""
    run = small_run(smaller, FULL, 1e-3)
    with pytest.raises(UserError, match=SAYS):
        folder = RunFolder(tmp_path, run.run_id)
        train(run, recipe_texts[:30], recipe_texts[30:], "[END]", folder, progress=ignore)


def test_tokens_that_no_text_needs_are_no_reason(smaller):
    """A tokenizer may be larger than its model, as those with padding tokens of their own are."""
    model = AutoModelForCausalLM.from_pretrained(smaller)
    probe.refuse_beyond_vocabulary(model, [[0, 299]])
    assert len(nlls_of_rows(model, [[0, 299, 5]], 0, "fp32")) == 1
    with pytest.raises(UserError, match=SAYS):
        nlls_of_rows(model, [[0, 299], [0, 300]], 0, "fp32")
