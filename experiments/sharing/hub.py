"""`bakeoff push`: a run's weights or adapter, with its model card, to the Hugging Face Hub in one commit."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.sharing.model_card import CARD, base_name, card
from toolkit.errors import UserError, first_line, unknown_name
from toolkit.records import EvaluationRecord, RunRecord, hashes
from toolkit.records.folders import Root, RunFolder


def push(run_id: str, repository: str, root: Path, *, private: bool = False) -> str:
    """Upload a run's artifact and its card in one commit; return the repository's address.

    Raises UserError if there is no such run, no evaluation, no token, or no answer from the Hub.
    """
    folder = _run_folder(run_id, root)
    record = RunRecord.read(folder.record)
    if record.spec.is_base:
        raise UserError(f"push: {run_id} is the untouched base; there is nothing of it to publish")
    if record.spec.dataset is None:
        raise UserError(
            f"push: {run_id} was trained elsewhere or converted from another run, and a card names the data "
            f"that a run was trained on; `hf upload {repository} {folder.artifact}` uploads it without one"
        )
    if record.status == "diverged":
        raise UserError(f"push: {run_id} diverged ({record.diverged}), and nothing of it was kept")
    artifact = folder.require_artifact()
    hashes.check_folder(folder.path, artifact.name)
    evaluation = _latest_evaluation(folder)
    if evaluation is None:
        raise UserError(
            f"push: {run_id} is not evaluated, so its card has no results. `bakeoff run` evaluates the "
            "confirming runs of a study, and never one of the search for a learning rate"
        )

    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    files = [path for path in sorted(artifact.rglob("*")) if path.is_file() and path.name != CARD]
    operations = [
        CommitOperationAdd(path.relative_to(artifact).as_posix(), _content(path, record)) for path in files
    ]
    operations.append(CommitOperationAdd(CARD, card(evaluation, artifact, repository).encode()))
    api = HfApi(library_name="bakeoff")
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        api.create_commit(address.repo_id, operations, commit_message=f"Add {run_id}")
    except LocalTokenNotFoundError as error:
        raise UserError("push: no token: `hf auth login`, or set HF_TOKEN") from error
    except HFValidationError as error:
        raise UserError(f"push: '{repository}' is not a repository name; write owner/name") from error
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else None
        hint = (
            "; `hf auth login`, or set HF_TOKEN to a token that may write there" if code in (401, 403) else ""
        )
        raise UserError(f"push: the Hub refused: {first_line(error)}{hint}") from error
    except Exception as error:  # noqa: BLE001 - its clients differ in what they raise; each ends in one line
        raise UserError(f"push: the Hub can't be reached: {first_line(error)}") from error
    return str(address)


def _run_folder(run_id: str, root: Path) -> RunFolder:
    folder = Root(root).run(run_id)
    if not folder.record.is_file():
        raise unknown_name("run", run_id, [path.parent.name for path in Root(root).runs.glob("*/run.json")])
    return folder


def _latest_evaluation(folder: RunFolder) -> EvaluationRecord | None:
    """Return the evaluation that was finished last; None without one."""
    paths = sorted(folder.evaluations(), key=lambda path: (path.stat().st_mtime_ns, path.name))
    return EvaluationRecord.read(paths[-1]) if paths else None


def _content(path: Path, record: RunRecord) -> Path | bytes:
    """Return the file; an adapter's configuration names the base as others find it, not as a local path."""
    if path.name != "adapter_config.json":
        return path
    value = json.loads(path.read_text(encoding="utf-8"))
    value["base_model_name_or_path"] = base_name(record.spec.model)
    return json.dumps(value, indent=2).encode()
