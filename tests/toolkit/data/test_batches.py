"""Rows and batches: nothing cut, every end learned, the same batches whatever the method."""

from __future__ import annotations

import pytest

from toolkit.catalog import document_format
from toolkit.data import batches as tokens
from toolkit.errors import UserError


def test_a_row_is_prefix_text_and_end_of_text(tiny_tokenizer, recipe_texts):
    """One text: its tokens between the prefix (end-of-text, as GPT-2 has no other) and end-of-text."""
    (row,) = tokens.encode(recipe_texts[:1], tiny_tokenizer).ids
    assert row[0] == row[-1] == tiny_tokenizer.eos_token_id
    assert tiny_tokenizer.decode(row[1:-1]) == recipe_texts[0]


def test_a_text_that_does_not_fit_is_left_out_and_counted(tiny_tokenizer, recipe_texts):
    """With the limit at the longest row less one, exactly the rows of that length go."""
    lengths = [len(row) for row in tokens.encode(recipe_texts, tiny_tokenizer).ids]
    longest = max(lengths)
    rows = tokens.encode(recipe_texts, tiny_tokenizer, max_length=longest - 1)
    assert rows.too_long == lengths.count(longest) > 0
    assert len(rows.ids) == len(recipe_texts) - rows.too_long
    assert max(map(len, rows.ids)) < longest


def test_a_limit_below_every_text_is_a_clear_error(tiny_tokenizer, recipe_texts):
    """Three tokens hold no recipe: the error names the setting and the shortest text."""
    with pytest.raises(
        UserError, match=r"train\.max_length=3 leaves no document: the shortest has \d+ tokens"
    ):
        tokens.encode(recipe_texts, tiny_tokenizer, max_length=3)


def test_labels_follow_lengths_and_never_the_pad_id():
    """Rows [7,5,7] and [7,5,6,7], padded with 7: the 7 that ends the first stays, its padding is ignored."""
    batch = tokens.collate([[7, 5, 7], [7, 5, 6, 7]], pad=7)
    assert batch["labels"].tolist() == [[-100, 5, 7, -100], [-100, 5, 6, 7]]
    assert set(batch) == {"input_ids", "labels"}  # causal, padded on the right: no mask is needed


def test_batches_keep_their_budget_and_lose_no_row():
    """Lengths 10, 4, 4, 6 at a budget of 12: 10 alone, then 4 + 4 (8), and 6 with them would be 18."""
    batches = tokens.budget_batches([10, 4, 4, 6], [0, 1, 2, 3], 12)
    assert batches == [[0], [1, 2], [3]]


def test_a_budget_below_one_row_is_a_clear_error():
    """A row of 10 tokens does not fit 8 positions."""
    with pytest.raises(UserError, match="train.batch_tokens=8 is less than one document of 10 tokens"):
        tokens.training_batches([10], 8, epochs=1, seed=0)


def test_every_epoch_sees_every_row_once():
    """Two epochs over 50 rows: each row twice; half an epoch: about half the batches."""
    lengths = [5 + i % 9 for i in range(50)]
    batches = tokens.training_batches(lengths, 40, epochs=2, seed=3)
    assert sorted(i for batch in batches for i in batch) == sorted([*range(50), *range(50)])
    whole = len(tokens.training_batches(lengths, 40, epochs=1, seed=3))
    assert len(tokens.training_batches(lengths, 40, epochs=0.5, seed=3)) == round(whole / 2)


def test_the_seed_moves_the_batches_and_nothing_else_does():
    """Same seed: same batches. Another seed: others."""
    lengths = [5 + i % 9 for i in range(50)]
    first = tokens.training_batches(lengths, 40, epochs=1, seed=0)
    assert first == tokens.training_batches(lengths, 40, epochs=1, seed=0)
    assert first != tokens.training_batches(lengths, 40, epochs=1, seed=1)


def test_padding_share_is_counted_by_hand():
    """Rows of 3 and 1 in one batch fill 4 of 6 positions: a third is padding."""
    assert tokens.padding_share([3, 1], [[0, 1]]) == pytest.approx(1 / 3)


def test_the_stream_hash_tells_order_and_content():
    """The same rows in another order, or one token changed, is another stream."""
    rows = [[1, 2], [3, 4]]
    first = tokens.stream_hash(rows, [[0], [1]])
    assert first == tokens.stream_hash(rows, [[0], [1]])
    assert (
        len({first, tokens.stream_hash(rows, [[1], [0]]), tokens.stream_hash([[1, 2], [3, 5]], [[0], [1]])})
        == 3
    )


def test_a_cut_document_shows_in_the_share_of_ends(tiny_tokenizer, recipe_texts):
    """Of two rows one has lost its `[END]`: half the rows end as they should."""
    rows = tokens.encode(recipe_texts[:2], tiny_tokenizer).ids
    assert tokens.end_label_share(rows, tiny_tokenizer, "[END]") == 1.0
    cut = [rows[0], [*rows[1][:-8], rows[1][-1]]]
    assert tokens.end_label_share(cut, tiny_tokenizer, "[END]") == 0.5


def test_packed_rows_fill_the_budget_by_their_sum():
    """Lengths 10, 4, 4, 6 at 12: 10 alone; 4 + 4 leave no room for 6."""
    assert tokens.budget_batches([10, 4, 4, 6], [0, 1, 2, 3], 12, packing=True) == [[0], [1, 2], [3]]
    assert tokens.budget_batches([5, 1, 1, 5], [0, 1, 2, 3], 12, packing=True) == [[0, 1, 2, 3]]


def test_packing_restarts_positions_and_joins_no_two_documents():
    """[7,5,7] and [7,6]: positions 0 1 2 0 1, and each prefix ignored."""
    packed = tokens.pack([[7, 5, 7], [7, 6]])
    assert packed["input_ids"].tolist() == [[7, 5, 7, 7, 6]]
    assert packed["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert packed["labels"].tolist() == [[-100, 5, 7, -100, 6]]


def test_texts_are_tokenised_once_for_a_tokenizer(tiny_tokenizer, recipe_texts, tmp_path, monkeypatch):
    """The second call reads what the first one kept, and limits what it reads; other texts are other rows."""
    first = tokens.encode_once(recipe_texts, tiny_tokenizer, None, tmp_path)
    assert first == tokens.encode(recipe_texts, tiny_tokenizer)
    monkeypatch.setattr(tokens, "encode", None)
    assert tokens.encode_once(recipe_texts, tiny_tokenizer, None, tmp_path) == first
    longest = max(map(len, first.ids))
    assert tokens.encode_once(recipe_texts, tiny_tokenizer, longest - 1, tmp_path).too_long > 0
    with pytest.raises(TypeError):  # not kept, so it would have to be encoded
        tokens.encode_once(recipe_texts[:3], tiny_tokenizer, None, tmp_path)


def test_damaged_tokens_are_encoded_again(tiny_tokenizer, recipe_texts, tmp_path):
    """One bit changed at 40 places over the file, or its second half missing: never other tokens."""
    first = tokens.encode_once(recipe_texts, tiny_tokenizer, None, tmp_path)
    (file,) = tmp_path.glob("tokens-*.npz")
    whole = file.read_bytes()
    places = range(0, len(whole), max(1, len(whole) // 40))
    damaged = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in places]
    assert len(damaged) >= 40
    for content in (*damaged, whole[: len(whole) // 2], b""):
        file.write_bytes(content)
        assert tokens.encode_once(recipe_texts, tiny_tokenizer, None, tmp_path) == first


@pytest.mark.parametrize("changed", ["<|endoftext|>", "{end}<|endoftext|>"])
def test_a_marker_that_no_text_could_have_is_one_line(tiny_tokenizer, recipe_texts, changed):
    """Special tokens are left out of generated texts: every structure check of a perfect model would fail."""
    form = document_format("recipe")
    assert tokens.encode(recipe_texts[:2], tiny_tokenizer, form=form).ids
    marked = form.model_copy(update={"end": changed.format(end=form.end)})
    with pytest.raises(UserError, match="format 'recipe': this base's tokenizer reads the marker") as error:
        tokens.encode(recipe_texts[:2], tiny_tokenizer, form=marked)
    assert "\n" not in str(error.value)
