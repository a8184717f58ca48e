"""Texts -> rows of token ids -> length-bucketed, token-budget batches, the same for every method."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from toolkit.data.conversations.labels import IGNORED, Row, ends_in_end, labels_of, supervised
from toolkit.data.conversations.template import ChatTemplate
from toolkit.data.conversations.turns import from_text
from toolkit.data.format import check_markers
from toolkit.errors import UserError, first_line
from toolkit.records.files import whole_file
from toolkit.specs import AnyFormat, Conversation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

POOL_BATCHES = 32  # batches sorted by length together: enough for little padding, few enough to stay random


class Rows(NamedTuple):
    """Token ids of documents, and what had to be left out."""

    ids: list[list[int]]
    """A document's row is: prefix token, the text's tokens, end-of-text. All but the prefix are supervised. A
    conversation's is a `Row`: what its chat template makes of it, and nothing else."""
    too_long: int
    """Documents with more than the allowed tokens: left out whole, never cut."""

    @property
    def supervised(self) -> int:
        """Supervised tokens."""
        return sum(map(supervised, self.ids))


def prefix_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """What stands before a text's first token: beginning-of-text, or end-of-text if there is none.

    The choice of lm-evaluation-harness, so that likelihoods agree with it.
    """
    return int(tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id)


def encode(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None = None,
    form: AnyFormat | None = None,
) -> Rows:
    """Rows of the texts; those over ``max_length`` tokens are left out and counted.

    Texts are documents unless ``form`` is that of conversations: then they are stored conversations, and
    labels are what the format trains on.
    """
    if not texts:
        return Rows([], 0)
    if isinstance(form, Conversation):
        template = ChatTemplate(form, tokenizer)
        return _within([Row(*template.encode(from_text(text))) for text in texts], max_length)
    if form is not None:
        check_markers(form, tokenizer)
    start, stop = prefix_token(tokenizer), tokenizer.eos_token_id
    encoded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return _within([[start, *ids, stop] for ids in encoded], max_length)


def _within(rows: Sequence[list[int]], max_length: int | None) -> Rows:
    short = [row for row in rows if max_length is None or len(row) <= max_length]
    if not short:
        shortest = min(map(len, rows))
        raise UserError(
            f"train.max_length={max_length} leaves no document: the shortest has {shortest} tokens. "
            "Raise it, or give shorter documents"
        )
    return Rows(short, len(rows) - len(short))


def encode_once(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    cache: Path,
    form: AnyFormat | None = None,
) -> Rows:
    """`encode`, done once for these texts and this tokenizer, and read back from ``cache`` after that."""
    if not isinstance(form, Conversation):
        form = None
    digest = hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode())
    digest.update(repr((prefix_token(tokenizer), tokenizer.eos_token_id)).encode())
    if form is not None:
        template = ChatTemplate(form, tokenizer)
        digest.update(repr((template.text, form.train_on, form.columns)).encode())
    for text in texts:
        digest.update(text.encode() + b"\0")
    file = cache / f"tokens-{digest.hexdigest()[:16]}.npz"
    rows = _stored(file, form is not None)
    if rows is None:
        rows = encode(texts, tokenizer, form=form).ids
        ids = np.fromiter((i for row in rows for i in row), dtype=np.int32)
        arrays: dict[str, Any] = {"ids": ids, "ends": np.cumsum([len(row) for row in rows])}
        if form is not None:
            kinds = b"".join(row.kinds for row in rows if isinstance(row, Row))
            arrays["kinds"] = np.frombuffer(kinds, dtype=np.uint8)
        with whole_file(file) as path, path.open("wb") as stream:  # given a path, numpy would add `.npz`
            np.savez(stream, **arrays)
    return _within(rows, max_length)


def _stored(file: Path, with_kinds: bool) -> list[list[int]] | None:
    """Read rows of tokens back; None if there are none, or if the checksums in the file do not fit."""
    try:
        with np.load(file) as stored:
            rows: list[list[int]] = [ids.tolist() for ids in np.split(stored["ids"], stored["ends"][:-1])]
            kinds = np.split(stored["kinds"], stored["ends"][:-1]) if with_kinds else None
        return rows if kinds is None else [Row(*row) for row in zip(rows, map(bytes, kinds), strict=True)]
    except FileNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 - zipfile, zlib and numpy raise eight kinds for damage
        logging.warning("%s is damaged (%s): its texts are encoded again", file, first_line(error))
        return None


def budget_batches(
    lengths: Sequence[int], order: Sequence[int], batch_tokens: int, *, packing: bool = False
) -> list[list[int]]:
    """Consecutive rows of ``order`` in batches of at most ``batch_tokens`` positions, padding included."""
    batches: list[list[int]] = []
    longest = total = 0
    for index in order:
        if lengths[index] > batch_tokens:
            raise UserError(
                f"train.batch_tokens={batch_tokens} is less than one document of {lengths[index]} tokens: "
                f"raise it, or lower train.max_length"
            )
        longest, total = max(longest, lengths[index]), total + lengths[index]
        size = total if packing else longest * (len(batches[-1]) + 1 if batches else 1)
        if batches and size <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
            longest = total = lengths[index]
    return batches


def training_batches(
    lengths: Sequence[int], batch_tokens: int, *, epochs: float, seed: int, packing: bool = False
) -> list[list[int]]:
    """Return all batches of a training in order, epoch after epoch; part of an epoch is its first batches.

    Each epoch shuffles the rows, sorts pools of them by length (little padding), and shuffles the batches.
    Depends on lengths, budget and seed alone.
    """
    pool = max(1, POOL_BATCHES * batch_tokens * len(lengths) // max(1, sum(lengths)))
    result: list[list[int]] = []
    epoch = 0
    while epochs - epoch > 0:
        rng = random.Random(f"{seed}/{epoch}")
        shuffled = rng.sample(range(len(lengths)), len(lengths))
        batches: list[list[int]] = []
        for first in range(0, len(shuffled), pool):
            group = sorted(shuffled[first : first + pool], key=lambda i: lengths[i])
            batches += budget_batches(lengths, group, batch_tokens, packing=packing)
        rng.shuffle(batches)
        share = min(1.0, epochs - epoch)
        result += batches[: max(1, round(share * len(batches)))]
        epoch += 1
    return result


def sorted_batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Batches for evaluation: longest first, so that what does not fit in memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return budget_batches(lengths, order, max(batch_tokens, max(lengths, default=1)))


def padding_share(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of the positions of these batches that are padding."""
    positions = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    real = sum(lengths[i] for batch in batches for i in batch)
    return 1 - real / positions if positions else 0.0


def stream_hash(rows: Sequence[Sequence[int]], batches: Sequence[Sequence[int]]) -> str:
    """Hash of every token id that these batches feed, in order, and of a conversation's labels."""
    digest = hashlib.sha256()
    for batch in batches:
        for index in batch:
            digest.update(np.asarray(rows[index], dtype="<u4").tobytes())
            if isinstance(row := rows[index], Row):
                digest.update(row.kinds)
            digest.update(b"|")
        digest.update(b"\n")
    return digest.hexdigest()[:16]


def collate(rows: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    """Rows, right-padded -> `input_ids`, `labels`, each [rows, longest], int64.

    There is no attention mask: padding comes after all that is supervised, so a causal model never sees it,
    and without a mask attention kernels skip the half that causality rules out. Labels follow the lengths and
    never the pad id, so an end-of-text token that doubles as padding is still learned; only the prefix, the
    padding, and what a conversation does not train on are ignored.
    """
    import torch

    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad, dtype=torch.int64)
    labels = torch.full((len(rows), longest), IGNORED, dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        labels[i, : len(row)] = torch.tensor(labels_of(row))
    return {"input_ids": ids, "labels": labels}


def pack(rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Rows laid end to end -> `input_ids`, `position_ids`, `labels`, each [1, tokens], int64.

    Positions start again with each row, and no attention mask is passed: that is how attention kernels tell
    the rows apart. Each row's prefix is ignored as a label, so no row predicts the next one's first token.
    """
    import torch

    labels = [label for row in rows for label in labels_of(row)]
    return {
        "input_ids": torch.tensor([[i for row in rows for i in row]]),
        "position_ids": torch.tensor([[index for row in rows for index in range(len(row))]]),
        "labels": torch.tensor([labels]),
    }


def end_label_share(rows: Sequence[Sequence[int]], tokenizer: PreTrainedTokenizerBase, end: str) -> float:
    """Share of the rows that end, supervised, in the end marker and the end-of-text token.

    Of conversations: whose last answer ends, supervised, in a token that ends a turn.
    """
    tail = 4 * len(end) + 2  # a token is at least a byte, a character at most four
    marked = sum(
        ends_in_end(row)
        if isinstance(row, Row)
        else row[-1] == tokenizer.eos_token_id and tokenizer.decode(row[1:-1][-tail:]).endswith(end)
        for row in rows
    )
    return marked / len(rows) if rows else 0.0
