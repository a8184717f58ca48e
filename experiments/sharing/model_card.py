"""What goes with a trained model to other people: a model card with its results, and the way to the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabulate import tabulate

from eval.metrics import held_out
from toolkit.errors import UserError, unknown_name
from toolkit.records import EvaluationRecord, MetricValue, RunRecord
from toolkit.records.files import write_text
from toolkit.records.folders import RunFolder

CARD = "README.md"
HUB_LICENSES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "gemma", "openrail")
"""Those that the hub knows by this name; another one is named in words."""


def write_card(folder: RunFolder, evaluation: EvaluationRecord) -> None:
    """Write `artifact/README.md`; without an artifact (the untouched base) there is nothing to describe."""
    if folder.artifact.is_dir():
        write_text(folder.artifact / CARD, card(evaluation))


def card(evaluation: EvaluationRecord) -> str:
    """The model card of a run: what it is, its results with their signatures, how it came about."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    run = evaluation.run
    spec, dataset = run.spec, run.spec.dataset
    if spec.is_base or dataset is None:
        raise ValueError("the untouched base has no card")
    about_held_out = held_out(evaluation.metrics).items()
    measured = {name: value for name, value in about_held_out if value.value is not None}
    license_ = (spec.model.license or "").lower()
    known = license_ in HUB_LICENSES
    data = ModelCardData(
        model_name=run.run_id,
        base_model=spec.model.hub,
        datasets=dataset.hub,
        library_name="peft" if spec.method.peft else "transformers",
        license=license_ if known else "other" if license_ else None,
        license_name=None if known or not license_ else spec.model.license,
        pipeline_tag="text-generation",
        tags=["bakeoff", spec.method.name],
        eval_results=[
            EvalResult(
                task_type="text-generation",
                task_name="text generation",
                dataset_type=dataset.hub or dataset.name,
                dataset_name=f"{dataset.name}, {value.documents} held-out documents",
                metric_type=name,
                metric_name=f"{name} ({value.unit})",
                metric_value=value.value,
            )
            for name, value in measured.items()
        ],
    )
    body = "\n\n".join([_opening(run), _results(evaluation, measured), _training(run)])
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def _opening(run: RunRecord) -> str:
    spec, dataset = run.spec, run.spec.dataset
    assert dataset is not None  # noqa: S101 - card() has made sure
    what = f"an adapter ({spec.method.peft['peft_type']})" if spec.method.peft else "all that was trained"
    origin = (
        f"[{spec.model.name}](https://huggingface.co/{spec.model.hub})" if spec.model.hub else spec.model.name
    )
    licences = "; ".join(
        f"{name}: {given}"
        for name, given in ((spec.model.name, spec.model.license), (dataset.name, dataset.license))
        if given
    )
    documents = run.data.documents if run.data else 0
    return "\n\n".join(
        [
            f"# {run.run_id}",
            f"{origin}, fine-tuned with the method `{spec.method.name}` on {documents:,} documents of "
            f"{dataset.name}. This repository holds {what}, and the tokenizer.",
            *([f"Licences. {licences}."] if licences else []),
        ]
    )


def _results(evaluation: EvaluationRecord, measured: dict[str, MetricValue]) -> str:
    rows = [
        [
            name,
            f"{value.value:.4g}",
            value.unit,
            {"lower": "lower", "higher": "higher"}.get(value.direction, ""),
        ]
        for name, value in measured.items()
    ]
    table = tabulate(rows, ["metric", "value", "unit", "better"], tablefmt="github", disable_numparse=True)
    signatures = "\n".join(f"- {name}: `{value.signature}`" for name, value in measured.items())
    documents = max((value.documents for value in measured.values()), default=0)
    return (
        f"## Results\n\nOn {documents} held-out documents (test part `{evaluation.test}`), of this one seed: "
        "a comparison of methods needs several, and their intervals.\n\n"
        f"{table}\n\nEvery choice that changes a number:\n\n{signatures}"
    )


def _training(run: RunRecord) -> str:
    spec, costs = run.spec, run.costs
    rows: list[tuple[str, Any]] = [
        ("learning rate", spec.learning_rate),
        ("seed", spec.seed),
        ("epochs", spec.train.epochs),
        ("tokens a batch", spec.train.batch_tokens * spec.train.accumulate),
        ("steps", costs.steps),
        ("precision", run.precision),
        ("trainable parameters", costs.trainable_parameters and f"{costs.trainable_parameters:,}"),
        ("training seconds", costs.train_seconds and f"{costs.train_seconds:.0f}"),
        ("peak memory", costs.peak_memory_bytes and f"{costs.peak_memory_bytes / 1e9:.1f} GB"),
        ("device", run.environment.get("device")),
        *((name, version) for name, version in run.environment.get("versions", {}).items()),
    ]
    table = tabulate(
        [(name, value) for name, value in rows if value is not None],
        ["", ""],
        tablefmt="github",
        disable_numparse=True,
    )
    return f"## Training\n\n{table}"


def push(run_id: str, repository: str, root: Path, *, private: bool = False) -> str:
    """Upload a run's artifact and its card to the hub in one commit; returns the address.

    Raises UserError where there is no such run, no token, or no hub.
    """
    folder = _folder(run_id, root)
    record = RunRecord.read(folder.record)
    if record.spec.is_base:
        raise UserError(f"push: {run_id} is the untouched base; there is nothing of it to publish")
    artifact = folder.require_artifact()
    if not any(folder.path.glob("eval-*.json")):
        raise UserError(
            f"push: {run_id} is not evaluated, so its card has no results; `bakeoff run` its study"
        )

    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    files = [path for path in sorted(artifact.rglob("*")) if path.is_file()]
    operations = [
        CommitOperationAdd(path.relative_to(artifact).as_posix(), _content(path, record)) for path in files
    ]
    api = HfApi(library_name="bakeoff")
    try:
        where = api.create_repo(repository, private=private, exist_ok=True)
        api.create_commit(where.repo_id, operations, commit_message=f"Add {run_id}")
    except LocalTokenNotFoundError as error:
        raise UserError("push: no token: `hf auth login`, or set HF_TOKEN") from error
    except HFValidationError as error:
        raise UserError(f"push: '{repository}' is no repository name; write owner/name") from error
    except HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else None
        hint = (
            "; `hf auth login`, or set HF_TOKEN to a token that may write there" if code in (401, 403) else ""
        )
        raise UserError(f"push: the hub refused: {_first_line(error)}{hint}") from error
    except Exception as error:  # noqa: BLE001 - its clients differ in what they raise; each ends in one line
        raise UserError(f"push: the hub can't be reached: {_first_line(error)}") from error
    return str(where)


def _folder(run_id: str, root: Path) -> RunFolder:
    folder = RunFolder(root, run_id)
    if not folder.record.is_file():
        raise unknown_name("run", run_id, [path.parent.name for path in root.glob("runs/*/run.json")])
    return folder


def _content(path: Path, record: RunRecord) -> Path | bytes:
    """The file; an adapter's configuration with the base as others find it, not a path of this machine."""
    if path.name != "adapter_config.json":
        return path
    value = json.loads(path.read_text(encoding="utf-8"))
    value["base_model_name_or_path"] = record.spec.model.hub or record.spec.model.name
    return json.dumps(value, indent=2).encode()


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
