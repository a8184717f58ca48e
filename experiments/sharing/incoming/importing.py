"""`bakeoff import`: an archive's runs are added to those under a root folder."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from experiments.sharing.export import shared_content
from experiments.sharing.incoming.checking import Checked, check_archive
from toolkit.records import EvaluationRecord, Provenance, RunRecord, hashes
from toolkit.records.files import write_text
from toolkit.records.folders import Root, RunFolder
from toolkit.records.run import forget_run, is_same_base

Fate = Literal["added", "completed", "here_already", "kept_ours", "busy"]


class Imported(NamedTuple):
    """What became of the runs of an archive: their ids."""

    study: str
    added: tuple[str, ...]
    completed: tuple[str, ...]
    """Were here, and got evaluations that were not."""
    here_already: tuple[str, ...]
    kept_ours: tuple[str, ...]
    """Finished here too, with other results: trained or evaluated on both machines, or an untouched base
    whose texts were compared with another training split. Ours stays."""
    busy: tuple[str, ...]
    """Being worked on here at the moment; left alone."""
    results: bool
    """Whether the study's conclusions were taken too: only if none were here and every run is theirs."""
    left_out: tuple[str, ...]
    """Report files of an archive of the first version, which are never taken."""


def import_archive(path: Path, root: Path) -> Imported:
    """Add the runs of an archive to those under ``root``. What is finished here is never changed.

    The whole archive is checked before anything is written. Only records are taken: the report is drawn from
    them. Each run and the results keep where they came from in `imported.json`. Raises UserError for an
    archive that is damaged, foreign, hostile or of another version.
    """
    checked = check_archive(path)
    provenance = Provenance(
        archive=path.name,
        sha256=checked.sha256,
        study=checked.study,
        date=datetime.now(UTC).date().isoformat(),
    )
    folders = Root(root)
    write_text(folders.runs / ".gitignore", "*\n")
    fates: dict[str, list[str]] = {}
    for run, members in checked.runs.items():
        fates.setdefault(_add_run(run, members, folders, provenance), []).append(run)
    apart = fates.keys() & {"kept_ours", "busy"}  # their conclusions are not about the runs that are here
    return Imported(
        study=checked.study,
        added=tuple(fates.get("added", ())),
        completed=tuple(fates.get("completed", ())),
        here_already=tuple(fates.get("here_already", ())),
        kept_ours=tuple(fates.get("kept_ours", ())),
        busy=tuple(fates.get("busy", ())),
        results=not apart and _add_results(checked, folders, provenance),
        left_out=checked.left_out,
    )


def _add_run(run: str, members: dict[str, bytes], root: Root, provenance: Provenance) -> Fate:
    """Add one run; return the field of Imported it belongs to."""
    folder = root.run(run)
    folder.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.lock, timeout=0):
            here = folder.record.is_file()
            theirs = RunRecord.model_validate_json(members["run.json"])
            if here and not _is_alike(theirs, folder, root):
                return "kept_ours"
            missing = [name for name in members if not (here and _is_here(folder, name))]
            if not here:
                forget_run(folder)
                shutil.rmtree(folder.artifact, ignore_errors=True)  # of other weights than their record is
                provenance.write(folder.imported)
            # Records mark what is whole, so they come last: evaluations, then the run's own.
            for name in sorted(missing, key=lambda n: (n == "run.json", n.endswith(".json"), n)):
                hashes.write_sealed(folder.path / name, members[name])
            if here and any(
                _is_measured_otherwise(folder.path / name, members[name], root) for name in members
            ):
                return "kept_ours"
            if here:
                return "completed" if missing else "here_already"
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
            folder.failure.unlink(missing_ok=True)
            return "added"
    except Timeout:
        return "busy"


def _is_alike(theirs: RunRecord, folder: RunFolder, root: Root) -> bool:
    """Whether our record is of the same training. The untouched base is the same wherever it was loaded."""
    ours = RunRecord.read(folder.record)
    return theirs in (ours, _shared(folder.record, root)) or is_same_base(theirs, ours)


def _is_here(folder: RunFolder, name: str) -> bool:
    """Whether a file is here; one of an evaluation, whether that is finished."""
    found = re.fullmatch(r"(?:eval|statistics)-([0-9a-f]+)\.jsonl?", name)
    return (folder.evaluation(found[1]) if found else folder.path / name).is_file()


def _is_measured_otherwise(path: Path, theirs: bytes, root: Root) -> bool:
    """Whether an evaluation's file here has other outcomes, or was compared with another training split."""
    if re.fullmatch(r"eval-[0-9a-f]+\.jsonl", path.name):
        return theirs not in (path.read_bytes(), shared_content(path, root.path))  # without general texts
    if not re.fullmatch(r"eval-[0-9a-f]+\.json", path.name):
        return False
    splits = EvaluationRecord.read(path).train, EvaluationRecord.model_validate_json(theirs).train
    return None not in splits and len(set(splits)) > 1


def _shared(record: Path, root: Root) -> RunRecord:
    """Return our own record as an export holds it, without the paths of this machine."""
    return RunRecord.model_validate_json(shared_content(record, root.path))


def _add_results(checked: Checked, root: Root, provenance: Provenance) -> bool:
    folder = root.results(checked.study)
    last = folder.conclusions.name
    if last not in checked.results or folder.conclusions.is_file():
        return False
    for name in sorted(checked.results, key=lambda n: n == last):
        # theirs, all of them: they belong together
        hashes.write_sealed(folder.path / name, checked.results[name])
    provenance.write(folder.imported)
    return True
