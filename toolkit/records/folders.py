"""The paths of a study's files: run folders, what is in them, and how to leave such paths out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from toolkit.errors import UserError
from toolkit.specs.reading import PATH_KEYS


def cache_folder() -> Path:
    """The user's cache folder: what is kept between studies, such as converted base models."""
    return user_cache_path("bakeoff")


class Root:
    """Paths under the root folder: `runs/`, `results/` and the prepared data."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def runs(self) -> Path:
        """`runs/`: the store of runs, shared by all studies."""
        return self.path / "runs"

    @property
    def data(self) -> Path:
        """`runs/.data/`: prepared data sets and token caches."""
        return self.runs / ".data"

    def run(self, run_id: str) -> RunFolder:
        """`runs/<run_id>/`."""
        return RunFolder(self.path, run_id)

    def results(self, study: str) -> ResultsFolder:
        """`results/<study>/`: what a study concludes, and its report."""
        return ResultsFolder(self.path / "results" / study)


IMPORTED = "imported.json"
"""Where records came from, in the folder of a run and of a study's results that were imported."""
CLOCK = "clock.json"
"""Written last into a checkpoint: it marks a complete one."""


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step at which a checkpoint was saved, from its name `checkpoint-<step>`."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def sealed(checkpoints: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, latest first.

    One without its marker was being written when the process died; one of another name, such as a copy
    `checkpoint-8.old`, is somebody else's.
    """
    folders = (marker.parent for marker in checkpoints.glob(f"checkpoint-*/{CLOCK}"))
    named = [folder for folder in folders if re.fullmatch("checkpoint-[0-9]+", folder.name)]
    return sorted(named, key=step_of, reverse=True)


class ResultsFolder:
    """Paths of what a study concludes, in `results/<study>/`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def conclusions(self) -> Path:
        """`comparisons.json`: written last."""
        return self.path / "comparisons.json"

    @property
    def failures(self) -> Path:
        """`failures.jsonl`: the failing texts."""
        return self.path / "failures.jsonl"

    @property
    def study(self) -> Path:
        """`study.yaml`: the study as it was run, names resolved."""
        return self.path / "study.yaml"

    @property
    def imported(self) -> Path:
        """`imported.json`: which archive the results came from; only if they were imported."""
        return self.path / IMPORTED

    @property
    def log(self) -> Path:
        """`study.log`: what was printed while the study ran."""
        return self.path / "study.log"

    @property
    def report(self) -> Path:
        """`report/`: the report and its figures."""
        return self.path / "report"


class RunFolder:
    """Paths in `runs/<run_id>/`, which no other module writes out."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.path = root / "runs" / run_id

    @property
    def data(self) -> Path:
        """`runs/.data/`, shared by all runs: prepared data sets and token caches."""
        return self.path.parent / ".data"

    @property
    def record(self) -> Path:
        """`run.json`: written last."""
        return self.path / "run.json"

    @property
    def spec(self) -> Path:
        """`spec.yaml`: the run's settings."""
        return self.path / "spec.yaml"

    @property
    def imported(self) -> Path:
        """`imported.json`: which archive the run came from; only in runs that were imported."""
        return self.path / IMPORTED

    @property
    def steps(self) -> Path:
        """`steps.jsonl`: one line per optimizer step or validation."""
        return self.path / "steps.jsonl"

    @property
    def checkpoints(self) -> Path:
        """`checkpoints/`: to resume from; removed when the run has finished."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path | None:
        """The latest complete checkpoint; None if there is none."""
        return next(iter(sealed(self.checkpoints)), None)

    @property
    def failure(self) -> Path:
        """`failed.json`: why the run could not be finished or evaluated; removed once it could."""
        return self.path / "failed.json"

    @property
    def lock(self) -> Path:
        """`.lock`: held by the process that works on the run, and released by the system when it ends."""
        return self.path / ".lock"

    @property
    def artifact(self) -> Path:
        """`artifact/`: the saved weights or adapter, with the tokenizer."""
        return self.path / "artifact"

    def require_artifact(self) -> Path:
        """Return `artifact/`. Raises UserError if it is missing: the weights are on another machine."""
        if not self.artifact.is_dir():
            raise UserError(
                f"{self.path} has no weights here: the run was imported, or they were deleted. "
                "Run this command on the machine that has them, or delete the folder to train the run again"
            )
        return self.artifact

    @property
    def merged(self) -> Path:
        """`merged/`: the adapter merged into its base model, written by `bakeoff merge`."""
        return self.path / "merged"

    @property
    def merge(self) -> Path:
        """`merge.json`: the merged model compared with the adapter."""
        return self.path / "merge.json"

    @property
    def log(self) -> Path:
        """`log.txt`: what the run's process printed."""
        return self.path / "log.txt"

    def evaluations(self) -> list[Path]:
        """Return the records of all finished evaluations, in the order of their digests."""
        return sorted(self.path.glob("eval-*.json"))

    def digests(self) -> list[str]:
        """Return the digests of all finished evaluations, sorted."""
        return [path.stem.removeprefix("eval-") for path in self.evaluations()]

    def evaluation(self, digest: str) -> Path:
        """`eval-<digest>.json`: written last."""
        return self.path / f"eval-{digest}.json"

    def outcomes(self, digest: str) -> Path:
        """`eval-<digest>.jsonl`: one Outcome per test document; written once."""
        return self.path / f"eval-{digest}.jsonl"

    def statistics(self, digest: str) -> Path:
        """`statistics-<digest>.jsonl`: one DocumentStatistics per outcome; rewritten if a metric changes."""
        return self.path / f"statistics-{digest}.jsonl"


_ABSOLUTE = re.compile(
    r"(?<![\w./:<~-])(?:[A-Za-z]:)?(?:[\\/][^\s\\/'\",:;(){}\[\]<>]+)+[\\/]([^\s\\/'\",:;(){}\[\]<>]+)"
)
_ONE_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/][^\n{}]*[^\n{}\\/]$")
_ABOUT_FILES = {"identity", "error", "text", "reason"} | PATH_KEYS
"""Keys under which records hold paths, or sentences with paths."""
_DOCUMENTS = {"samples", "examples", "closest", "longest_common_text", "title", "reference", "generations"}
"""Keys under which records hold documents, which are left as they are."""


def from_here(text: str, root: Path) -> str:
    """Return a text without the root, the working and the home folder in front of its paths."""
    for folder in sorted({root.resolve(), Path.cwd(), Path.home()}, key=lambda path: -len(path.parts)):
        if len(folder.parts) > 1 and str(folder) in text:
            text = re.sub(rf"(?<![\w.-]){re.escape(str(folder))}(?:[\\/]|(?![\w.-]))", "", text)
    return text


def without_paths(text: str, root: Path) -> str:
    """Return a text in which no path gives away whose machine and folder it is of.

    Paths under ``root``, the working folder or the home folder are given from there on, other absolute paths
    by their last name: ``/home/ann/work/models/tiny`` becomes ``models/tiny`` or ``tiny``. For settings and
    errors, not for documents, in which a slash may mean something else.
    """
    return _ABSOLUTE.sub(r"\1", from_here(text, root))


def without_paths_in(value: Any, root: Path, key: str = "") -> Any:
    """Return a JSON value without the paths in its settings and errors; documents are left as they are."""
    if isinstance(value, dict):
        inside = key if key in _ABOUT_FILES else ""
        return {
            name: inner if name in _DOCUMENTS else without_paths_in(inner, root, inside or name)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_paths_in(inner, root, key) for inner in value]
    if not isinstance(value, str):
        return value
    if key in PATH_KEYS and _ONE_PATH.match(value):  # a folder's name may hold spaces
        here = from_here(value, root)
        return re.split(r"[\\/]", here)[-1] if _ONE_PATH.match(here) else here
    return without_paths(value, root) if key in _ABOUT_FILES else from_here(value, root)
