"""`bakeoff export`: a study's finished runs and conclusions in one file, without weights."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.design import study as studies
from experiments.design.study_state import StudyState
from experiments.sharing.archive import FORMAT, MANIFEST, OF_A_RUN, OF_RESULTS, VERSION, Manifest, sha256
from toolkit.errors import UserError
from toolkit.records import Conclusions, hashes
from toolkit.records.files import whole_file
from toolkit.records.folders import Root, RunFolder, without_paths_in
from toolkit.specs.reading import dump_yaml, parse_yaml


class Exported(NamedTuple):
    """What went into an archive."""

    file: Path
    runs: int
    left_out: int
    """Runs of the study that are not finished."""
    bytes: int


def export(name: str, overrides: Sequence[str], root: Path, target: Path | None = None) -> Exported:
    """Pack a study's records and conclusions, but no weights and no report, into one zip file.

    Paths in settings and errors are cut to what does not name a user, a machine or a folder of it. ``name``
    is a study, or one that has results under ``root``. Of runs that it shares with other studies its own
    evaluations are packed alone: others may be of texts that are not to be shared. The same records give the
    same bytes. ``target`` is `STUDY.bakeoff.zip` in the working folder if None. Raises UserError if no run
    is finished or the file can't be written.
    """
    folders = Root(root)
    study, ids, evaluations = _runs_of(name, overrides, root)
    finished = [run for run in ids if folders.run(run).record.is_file()]
    if not finished:
        raise UserError(f"study '{study}' has no finished run under {folders.runs}: nothing to export")
    files = [path for run in finished for path in _files_of_run(folders.run(run), evaluations)]
    if _all_packed(folders.results(study).conclusions, finished):
        files += [path for file in OF_RESULTS if (path := folders.results(study).path / file).is_file()]
    target = target or Path(f"{study}.bakeoff.zip")
    with whole_file(target, "Choose another file with --to") as neighbour:
        contents = {path.relative_to(root).as_posix(): shared_content(path, root) for path in files}
        _pack(neighbour, study, contents)
    return Exported(target, len(finished), len(ids) - len(finished), target.stat().st_size)


class _Included(NamedTuple):
    study: str
    runs: list[str]
    evaluations: set[str]
    """Digests."""


def _runs_of(name: str, overrides: Sequence[str], root: Path) -> _Included:
    """Return the study's runs and evaluations: what it concluded on, and what its file asks for."""
    concluded = Root(root).results(studies.name_of(name)).conclusions
    ids: list[str] = []
    evaluations: set[str] = set()
    if concluded.is_file() and not overrides:
        cells = Conclusions.read(concluded).cells
        ids = [cell.run_id for cell in cells]
        evaluations = {cell.eval_digest for cell in cells if cell.eval_digest}
        if not _is_study(name):
            return _Included(studies.name_of(name), list(dict.fromkeys(ids)), evaluations)
    spec = studies.load(name, overrides)
    state = StudyState(spec, root).prepare()
    asked = state.cells(state.failed())
    ids += [cell.run.run_id for cell in asked]
    evaluations |= {state.evaluation_of(cell) for cell in asked if cell.phase != "tune"}
    return _Included(spec.name, list(dict.fromkeys(ids)), evaluations)


def _all_packed(concluded: Path, runs: Sequence[str]) -> bool:
    """Whether the runs that a study concluded on are among ``runs``: conclusions about others say nothing."""
    if not concluded.is_file():
        return True
    cells = Conclusions.read(concluded).cells
    return {cell.run_id for cell in cells if cell.status == "finished"} <= set(runs)


def _is_study(name: str) -> bool:
    return Path(name).is_file() or (studies.STUDIES / f"{name}.yaml").is_file()


def _files_of_run(folder: RunFolder, evaluations: Collection[str]) -> Iterator[Path]:
    for path in sorted(folder.path.iterdir()):
        if OF_A_RUN.fullmatch(path.name) and _is_included(path, evaluations):
            yield path


def _is_included(path: Path, evaluations: Collection[str]) -> bool:
    """Whether a file is of finished work, and of these evaluations if it is of one: its record comes last."""
    kind, _, digest = path.stem.partition("-")
    if kind not in ("eval", "statistics"):
        return True
    return digest in evaluations and path.with_name(f"eval-{digest}.json").is_file()


def shared_content(path: Path, root: Path) -> bytes:
    """Return a record's content without paths of this machine; lines of outcomes and steps hold none.

    General texts (`evaluate.general`) are left out of the outcomes: they are somebody else's, no metric needs
    them once their likelihood is known, and a study that reports what it quotes quotes none of them.
    """
    hashes.check(path)
    content = path.read_bytes()
    if path.suffix == ".jsonl":
        return b"".join(map(_without_general_text, content.splitlines(keepends=True)))
    if path.suffix == ".yaml":
        return dump_yaml(without_paths_in(parse_yaml(content.decode("utf-8"), str(path)), root)).encode()
    value = without_paths_in(json.loads(content), root)
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _without_general_text(line: bytes) -> bytes:
    if b'"general": true' not in line or b'"reference": ' not in line:
        return line
    outcome = {**json.loads(line), "title": "", "reference": ""}
    return (json.dumps(outcome, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _pack(target: Path, study: str, files: dict[str, bytes]) -> None:
    hashes = {name: sha256(content) for name, content in files.items()}
    manifest = Manifest(format=FORMAT, version=VERSION, study=study, files=hashes)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(_entry(MANIFEST), json.dumps(manifest.model_dump(mode="json"), indent=1))
        for name, content in files.items():
            packed.writestr(_entry(name), content)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # dated 1980, as every entry: same records, same bytes
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
