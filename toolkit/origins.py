"""Asks the Hugging Face hub, once and shortly, which commit of a repository is meant."""

from __future__ import annotations

from typing import Literal

from toolkit.errors import UserError

TIMEOUT_SECONDS = 5.0


def commit(
    kind: Literal["model", "dataset"], repository: str, revision: str | None, where: str
) -> tuple[str | None, str]:
    """The commit by the hub's word, or None and why there was no answer: a download would try for 30 s.

    Raises UserError, its first words ``where``, for an answer that says no.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    ask = HfApi().model_info if kind == "model" else HfApi().dataset_info
    try:
        info = ask(repository, revision=revision, timeout=TIMEOUT_SECONDS)
    except GatedRepoError as error:
        raise UserError(f"{where} wants you to accept its terms on its page, then `hf auth login`") from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{where} does not exist, or is private: check the id, or `hf auth login`") from error
    except RevisionNotFoundError as error:
        raise UserError(f"{where} has no revision '{revision}'") from error
    except HFValidationError as error:
        raise UserError(f"{where}: not an id of the form owner/name") from error
    except Exception as error:  # noqa: BLE001 - its clients differ in what they raise; each ends in one line
        return None, type(error).__name__
    return info.sha, ""
