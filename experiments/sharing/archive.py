"""A study's finished runs in one file, and such a file's runs added to those that are here."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from pydantic import ValidationError

from experiments.design import study as studies
from experiments.design.grid import Grid
from toolkit.errors import UserError
from toolkit.records import Conclusions, EvaluationRecord, RunRecord
from toolkit.records.files import write_text
from toolkit.records.folders import Root, RunFolder

FORMAT, VERSION = "bakeoff-export", 1
MANIFEST = "manifest.json"
OF_A_RUN = re.compile(r"spec\.yaml|run\.json|steps\.jsonl|eval-[0-9a-f]+\.jsonl?|statistics-[0-9a-f]+\.jsonl")


class Exported(NamedTuple):
    """What went into a file."""

    file: Path
    runs: int
    left_out: int
    """Runs of the study that are not finished."""
    bytes: int


class Imported(NamedTuple):
    """What became of the runs of a file: their ids."""

    study: str
    added: tuple[str, ...]
    completed: tuple[str, ...]
    """Were here, and got evaluations that were not."""
    here_already: tuple[str, ...]
    kept_ours: tuple[str, ...]
    """Finished here too, with another record: trained on both machines. Ours stays."""
    busy: tuple[str, ...]
    """Being worked on here at the moment; left alone."""
    results: bool
    """Whether the study's conclusions and report were taken too: only where there were none."""


# --- out


def export(name: str, overrides: Sequence[str], root: Path, target: Path | None = None) -> Exported:
    """Pack records, outcomes, conclusions and report of a study, but no weights, into one zip file.

    ``name`` is a study, or one that has results under ``root``. The same records give the same bytes.
    """
    study, ids = _runs_of(name, overrides, root)
    finished = [run for run in ids if RunFolder(root, run).record.is_file()]
    if not finished:
        raise UserError(f"study '{study}' has no finished run under {Root(root).runs}: nothing to export")
    files = [path for run in finished for path in _files_of_run(RunFolder(root, run))]
    results = Root(root).results(study)
    files += sorted(path for path in results.rglob("*") if path.is_file() and path.suffix != ".log")
    target = target or Path(f"{study}.bakeoff.zip")
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as stream:
            beside = Path(stream.name)
            try:
                _pack(stream, study, {path.relative_to(root).as_posix(): path for path in files})
                stream.flush()
                beside.chmod(0o644)
                beside.replace(target)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}") from error
    return Exported(target, len(finished), len(ids) - len(finished), target.stat().st_size)


def _runs_of(name: str, overrides: Sequence[str], root: Path) -> tuple[str, list[str]]:
    """The study's name and its run ids: those that were concluded on, and those that its file asks for."""
    concluded = Root(root).results(studies.name_of(name)) / "comparisons.json"
    ids = []
    if concluded.is_file() and not overrides:
        ids = [cell.run_id for cell in Conclusions.read(concluded).cells]
        if not _is_study(name):
            return studies.name_of(name), list(dict.fromkeys(ids))
    asked = studies.load(name, overrides)
    ids += [cell.run.run_id for cell in Grid(asked, root).prepare().cells()]
    return asked.name, list(dict.fromkeys(ids))


def _is_study(name: str) -> bool:
    return Path(name).is_file() or (studies.STUDIES / f"{name}.yaml").is_file()


def _files_of_run(folder: RunFolder) -> Iterator[Path]:
    for path in sorted(folder.path.iterdir()):
        kind, _, digest = path.stem.partition("-")
        unfinished = kind in ("eval", "statistics") and not folder.evaluation(digest).is_file()
        if OF_A_RUN.fullmatch(path.name) and not unfinished:
            yield path


def _pack(stream: Any, study: str, files: dict[str, Path]) -> None:
    about = {
        "format": FORMAT,
        "version": VERSION,
        "study": study,
        "files": {name: _sha256(path.read_bytes()) for name, path in files.items()},
    }
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(_entry(MANIFEST), json.dumps(about, indent=1))
        for name, path in files.items():
            packed.writestr(_entry(name), path.read_bytes())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # dated 1980, as every entry: same records, same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- in


def take(file: Path, root: Path) -> Imported:
    """Add the runs of an exported file to those under ``root``. What is finished here is never changed.

    The whole file is checked before anything is written: names, hashes, and every record against its schema.
    Raises UserError for a file that is damaged, foreign or of another version.
    """
    try:
        with zipfile.ZipFile(file) as packed:
            study, names = _checked(packed, file)
            runs = _by_run(names)
            for run, members in runs.items():
                _check_run(packed, run, members, file)
            concluded = f"results/{study}/comparisons.json"
            if concluded in names:
                Conclusions.model_validate_json(packed.read(concluded))
            fates: dict[str, list[str]] = {fate: [] for fate in Imported._fields[1:6]}
            for run, members in runs.items():
                fates[_merge(packed, run, members, root)].append(run)
            return Imported(study, *map(tuple, fates.values()), _merge_results(packed, study, names, root))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        zipfile.zlib.error,
    ) as error:
        raise UserError(f"{file} is damaged, or no file of `bakeoff export`: {error}") from error


def _checked(packed: zipfile.ZipFile, file: Path) -> tuple[str, list[str]]:
    """The study's name and the files: names that stay inside the root, bytes that are what was packed."""
    if MANIFEST not in packed.namelist():
        raise UserError(f"{file} is no file of `bakeoff export`: it has no {MANIFEST}")
    about = json.loads(packed.read(MANIFEST))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(f"{file} is no file of `bakeoff export`")
    if about.get("version") != VERSION:
        raise UserError(f"{file} is of version {about.get('version')} of the export; this is {VERSION}")
    study, hashes = str(about["study"]), dict(about["files"])
    names = [name for name in packed.namelist() if name != MANIFEST]
    if sorted(names) != sorted(hashes):
        raise UserError(f"{file} is damaged: it does not hold the files that it lists")
    for name in names:
        if not _is_ours(name, study):
            raise UserError(f"{file} holds {name!r}, which no export of a study does: nothing was imported")
        if _sha256(packed.read(name)) != hashes[name]:
            raise UserError(f"{file} is damaged at {name}: nothing was imported")
    return study, names


def _is_ours(name: str, study: str) -> bool:
    parts = name.split("/")
    if any(part in ("", ".", "..") or re.search(r"[\\:\0]", part) for part in parts):
        return False
    if parts[0] == "runs":
        return len(parts) == 3 and not parts[1].startswith(".") and bool(OF_A_RUN.fullmatch(parts[2]))
    return parts[0] == "results" and len(parts) > 2 and parts[1] == study


def _by_run(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Run id -> file name -> name in the archive."""
    runs: dict[str, dict[str, str]] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.parts[0] == "runs":
            runs.setdefault(path.parts[1], {})[path.name] = name
    return runs


def _check_run(packed: zipfile.ZipFile, run: str, members: dict[str, str], file: Path) -> None:
    """Raise UserError where a record is not of its schema, or does not belong where it lies."""
    where = f"{file}: runs/{run}"
    try:
        if "run.json" not in members:
            raise UserError(f"{where} has no run.json: nothing was imported")
        record = RunRecord.model_validate_json(packed.read(members["run.json"]))
        for name in members:
            if name.startswith("eval-") and name.endswith(".json"):
                found = EvaluationRecord.model_validate_json(packed.read(members[name]))
                if found.run != record or name != f"eval-{found.digest}.json" or f"{name}l" not in members:
                    raise UserError(f"{where}/{name} is not of this run: nothing was imported")
    except ValidationError as error:
        first = error.errors()[0]
        text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise UserError(
            f"{where}: {text}. Made by another version of bakeoff? Nothing was imported"
        ) from error
    if not record.run_id == record.spec.run_id == run:
        raise UserError(
            f"{where}: its spec has the id {record.spec.run_id} here. Made by another version of bakeoff? "
            "Nothing was imported"
        )


def _merge(packed: zipfile.ZipFile, run: str, members: dict[str, str], root: Path) -> str:
    """Add one run; says which field of Imported it belongs to."""
    folder = RunFolder(root, run)
    write_text(Root(root).runs / ".gitignore", "*\n")
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.lock, timeout=0):
            theirs = RunRecord.model_validate_json(packed.read(members["run.json"]))
            here = folder.record.is_file()
            if here and RunRecord.read(folder.record) != theirs:
                return "kept_ours"
            missing = [name for name in members if not (here and (folder.path / name).is_file())]
            # Records mark what is whole, so they come last: evaluations, then the run's own.
            for name in sorted(missing, key=lambda n: (n == "run.json", n.endswith(".json"), n)):
                write_text(folder.path / name, packed.read(members[name]).decode("utf-8"))
            if here:
                return "completed" if missing else "here_already"
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
            folder.failure.unlink(missing_ok=True)
            return "added"
    except Timeout:
        return "busy"


def _merge_results(packed: zipfile.ZipFile, study: str, names: Sequence[str], root: Path) -> bool:
    if (Root(root).results(study) / "comparisons.json").is_file():
        return False
    inside = [name for name in names if name.startswith("results/")]
    for name in sorted(inside, key=lambda n: n.endswith("/comparisons.json")):
        path = root / name
        if not path.exists():
            _write_bytes(path, packed.read(name))
    return bool(inside)


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}. Choose another folder with --root"
        ) from error
