"""What a stranger's archive holds: every record fits its schema, or nothing is taken."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from experiments.sharing.archive import sha256
from experiments.sharing.incoming.unpacking import NOTHING, first_problem, is_name, unpack
from toolkit.errors import UserError
from toolkit.records import (
    Conclusions,
    DocumentStatistics,
    EvaluationRecord,
    FailedGeneration,
    Outcome,
    Record,
    RunRecord,
    Step,
)
from toolkit.specs.reading import dump_yaml, parse_yaml

PERMISSIONS = ("trust_remote_code", "allow_pickle")
"""Keys by which a specification lets files of others run code. An archive can't give these permissions."""

R = TypeVar("R", bound=Record)


class Checked(NamedTuple):
    """The content of an archive, valid as a whole."""

    study: str
    runs: dict[str, dict[str, bytes]]
    """Run id -> file name -> content, with `run.json` in each."""
    results: dict[str, bytes]
    """File name -> content, of `results/<study>/`."""
    left_out: tuple[str, ...]
    """Report files of an archive of the first version: a report is drawn anew from the records."""
    sha256: str
    """Hash of the archive."""


def check_archive(file: Path) -> Checked:
    """Read an archive whole and check names, sizes, hashes, and every record against its schema.

    Raises UserError, in one line, for an archive that is damaged, foreign, hostile or of another version.
    """
    unpacked = unpack(file)
    runs: dict[str, dict[str, bytes]] = {}
    results: dict[str, bytes] = {}
    for name, content in unpacked.files.items():
        room, folder, leaf = name.split("/")
        (runs.setdefault(folder, {}) if room == "runs" else results)[leaf] = content
    checked = {run: _check_run(run, members, f"{file}: runs/{run}") for run, members in runs.items()}
    where = f"{file}: results/{unpacked.study}"
    results = {
        name: _check_result(name, text, unpacked.study, checked.keys(), where)
        for name, text in results.items()
    }
    return Checked(unpacked.study, checked, results, unpacked.left_out, sha256(file.read_bytes()))


def _check_run(run: str, members: dict[str, bytes], where: str) -> dict[str, bytes]:
    """Return the run's files, `spec.yaml` written anew from the record: no schema checks it."""
    if "run.json" not in members:
        raise UserError(f"{where} has no run.json: {NOTHING}")
    record = _valid(RunRecord, members["run.json"], f"{where}/run.json")
    if not record.run_id == record.spec.run_id == run:
        raise UserError(
            f"{where}: its spec has the id {record.spec.run_id} here. Made by another version of bakeoff? "
            "Nothing was imported"
        )
    for name, content in members.items():
        place = f"{where}/{name}"
        if name.startswith("eval-") and name.endswith(".json"):
            evaluation = _valid(EvaluationRecord, content, place)
            if (
                not evaluation.is_of(record)
                or name != f"eval-{evaluation.digest}.json"
                or f"{name}l" not in members
            ):
                raise UserError(f"{place} is not of this run: {NOTHING}")
        elif name.startswith("eval-"):
            _valid_lines(Outcome, content, place)
        elif name.startswith("statistics-"):
            _valid_lines(DocumentStatistics, content, place)
        elif name == "steps.jsonl":
            _valid_lines(Step, content, place)
    return {**members, "spec.yaml": dump_yaml(record.spec.model_dump(mode="json")).encode()}


def _check_result(name: str, content: bytes, study: str, runs: Collection[str], where: str) -> bytes:
    if name == "comparisons.json":
        conclusions = _valid(Conclusions, content, f"{where}/{name}")
        if conclusions.study != study:
            raise UserError(f"{where}/{name} is of another study: {NOTHING}")
        for cell in conclusions.cells:  # a run's id is its folder
            if cell.run_id not in runs and (cell.status != "failed" or not is_name(cell.run_id)):
                raise UserError(
                    f"{where}/{name} names a run that is not here, {cell.run_id!r:.80}: {NOTHING}"
                )
    elif name == "failures.jsonl":
        _valid_lines(FailedGeneration, content, f"{where}/{name}")
    else:
        return _without_permissions(content, f"{where}/{name}")
    return content


def _without_permissions(content: bytes, where: str) -> bytes:
    """Return the study's text, with every permission to run code that it gives taken back."""
    if len(content) > 2**20:
        raise UserError(f"{where} is too large for a study: {NOTHING}")
    try:
        value = parse_yaml(content.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8 text: {NOTHING}") from error
    changed, asked = _refused(value)
    return dump_yaml(changed).encode() if asked else content


def _refused(value: Any) -> tuple[Any, bool]:
    """Return the value with each permission false, and whether any was true."""
    if isinstance(value, dict):
        pairs = {key: _refused(inner) for key, inner in value.items()}
        asked = any(value[key] for key in PERMISSIONS if key in value)
        changed = {key: False if key in PERMISSIONS else inner for key, (inner, _) in pairs.items()}
        return changed, asked or any(inner for _, inner in pairs.values())
    if isinstance(value, list | tuple):
        items = [_refused(item) for item in value]
        return [item for item, _ in items], any(inner for _, inner in items)
    return value, False


def _valid(kind: type[R], content: bytes, where: str) -> R:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise UserError(
            f"{where}: {first_problem(error)}. Made by another version of bakeoff? Nothing was imported"
        ) from error


def _valid_lines(kind: type[Record], content: bytes, where: str) -> None:
    for number, line in enumerate(content.splitlines(), start=1):
        _valid(kind, line, f"{where}, line {number}")
