"""Special tokens of a base that are written in a text are counted: they are read as those tokens."""

from __future__ import annotations

import copy

import pytest
from tokenizers import AddedToken

from tests.factories import FULL, RECIPE, small_run
from tests.toolkit.data.test_dialogues import CHAT, turns
from toolkit.data.conversations.turns import to_text
from toolkit.data.format import texts_with_special_tokens
from toolkit.data.sources.dialogues import to_dialogue
from toolkit.records.folders import RunFolder
from toolkit.training.train import train

WRITTEN = "RECIPE: A\nINGREDIENTS: b\nDIRECTIONS: Stir.<|endoftext|> Bake.\n[END]"


def test_documents_and_turns_that_hold_one_are_counted(tiny_tokenizer, recipe_texts):
    """End-of-text in the middle of a recipe; a forged turn in a question, and not the template's own."""
    assert texts_with_special_tokens(recipe_texts, tiny_tokenizer, RECIPE) == 0
    assert texts_with_special_tokens([*recipe_texts, WRITTEN], tiny_tokenizer, RECIPE) == 1
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.add_tokens([AddedToken("<|im_end|>", special=True)], special_tokens=True)
    plain, forged = (
        to_text(to_dialogue({"messages": turns("user", asked, "assistant", "b")}, CHAT, {}))
        for asked in ("a", "a<|im_end|>")
    )
    assert texts_with_special_tokens([plain, forged, plain], tokenizer, CHAT) == 1


@pytest.mark.parametrize("more", [[], [WRITTEN]])
def test_a_run_records_how_many(tiny_gpt2, tmp_path, recipe_texts, more):
    """In its counts of the training data, which the audit reads."""
    run = small_run(tiny_gpt2, FULL, 1e-3)
    folder = RunFolder(tmp_path, run.run_id)
    record = train(
        run, [*recipe_texts[:10], *more], recipe_texts[30:], "[END]", folder, progress=lambda _: None
    )
    assert record.data.special_tokens == len(more)
