"""Where files come from: a commit of a Hub repository, an installed pip package, a checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Literal

from toolkit.errors import UserError

TIMEOUT_SECONDS = 5.0
"""Of the one request that resolves a revision."""


def commit(
    kind: Literal["model", "dataset"], repository: str, revision: str | None, where: str
) -> tuple[str | None, str]:
    """Resolve a Hub revision: return (commit, ""), or (None, reason) if the Hub does not answer.

    One request of 5 s: a download would try for 30 s. ``revision`` is a commit, tag or branch; None is the
    default branch. Raises UserError, beginning with ``where``, if the Hub refuses: no such repository or
    revision, or terms to accept.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # httpx or its successor, whichever the Hub's client uses; and an answer that is no JSON.
    no_answer: tuple[type[Exception], ...] = (*HfHubHTTPError.__bases__, ValueError)
    request = HfApi().model_info if kind == "model" else HfApi().dataset_info
    try:
        info = request(repository, revision=revision, timeout=TIMEOUT_SECONDS)
    except GatedRepoError as error:
        raise UserError(f"{where} wants you to accept its terms on its page, then `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{where} does not exist, or is private: check the id, or `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise UserError(f"{where} has no revision '{revision}'") from error
    except HFValidationError as error:
        raise UserError(f"{where}: not an id of the form owner/name") from error
    except no_answer as error:
        return None, type(error).__name__
    return info.sha, ""


def package(pinned: str, where: str, remedy: str) -> metadata.Distribution:
    """Return an installed pip package, given as `name==version` or `name`.

    Raises UserError, from ``where`` to ``remedy``, if it is not installed or has another version.
    """
    name, _, version = pinned.partition("==")
    try:
        installed = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):  # ValueError: no name before `==`
        raise UserError(f"{where}: package {name or pinned} is not installed. {remedy}") from None
    if version and installed.version != version:
        raise UserError(f"{where}: package {name} is {installed.version}, not {version}. {remedy}")
    return installed


def sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the files' bytes, joined in order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
