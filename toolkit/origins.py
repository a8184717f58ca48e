"""Resolve a Hub revision to a commit, with one request and a 5 s timeout."""

from __future__ import annotations

from typing import Literal

from toolkit.errors import UserError

TIMEOUT_SECONDS = 5.0


def commit(
    kind: Literal["model", "dataset"], repository: str, revision: str | None, where: str
) -> tuple[str | None, str]:
    """Return (commit, ""), or (None, reason) if the Hub does not answer; a download would try for 30 s.

    ``revision`` is a commit, tag or branch; None is the default branch. Raises UserError, beginning with
    ``where``, if the Hub refuses: no such repository or revision, or terms to accept.
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
