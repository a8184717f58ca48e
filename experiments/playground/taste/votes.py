"""Votes as the page exports them: read, checked and counted once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.playground.taste.pairs import PairKey
from toolkit.errors import UserError, first_line

MOST_BYTES = 16 << 20


class _Vote(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    pair: str = Field(max_length=64)
    choice: Literal["left", "right", "tie"]


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    taste_test: str = Field(max_length=64)
    rater: str = Field(min_length=1, max_length=200)
    votes: tuple[_Vote, ...]


class Vote(NamedTuple):
    """One rater's choice on one pair."""

    rater: str
    prompt: str
    left: str
    """Method on the left."""
    right: str
    choice: Literal["left", "right", "tie"]


class Counted(NamedTuple):
    """Votes that count, and how many did not."""

    votes: list[Vote]
    repeated: int
    """Votes of a rater on a pair that this rater had voted on already: the first one counts."""
    foreign: int
    """Votes on pairs that the key does not know: of another taste test, or an older page."""


def taste_test_of(path: Path) -> str:
    """Return the identity of the taste test that a vote file belongs to. UserError if it is damaged."""
    return _read(path).taste_test


def read(paths: Sequence[Path], key: Sequence[PairKey], taste_test: str) -> Counted:
    """Read vote files. A file given twice, or a vote given twice, counts once.

    Raises UserError, one line, for a file that is damaged or belongs to another taste test.
    """
    pairs: Mapping[str, PairKey] = {line.pair: line for line in key}
    votes: dict[tuple[str, str], Vote] = {}
    repeated = foreign = 0
    for path in paths:
        file = _read(path)
        if file.taste_test != taste_test:
            raise UserError(
                f"{path}: votes of another taste test ({file.taste_test}, not {taste_test}): read the votes "
                "of each test alone, where its page was written"
            )
        for vote in file.votes:
            known = pairs.get(vote.pair)
            if known is None:
                foreign += 1
            elif (file.rater, vote.pair) in votes:
                repeated += 1
            else:
                whole = Vote(file.rater, known.prompt, known.left, known.right, vote.choice)
                votes[file.rater, vote.pair] = whole
    if not votes:
        raise UserError("no vote on any pair of this taste test")
    return Counted(list(votes.values()), repeated, foreign)


def _read(path: Path) -> _File:
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: not a file of votes")
        return _File.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path}: not a file of votes: {place}: {first['msg']}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a file of votes: {first_line(error)}") from error
