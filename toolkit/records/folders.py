"""The paths of a study's files: run folders and what is in them."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from toolkit.errors import UserError


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

    def results(self, study: str) -> Path:
        """`results/<study>/`: what a study concludes, and its report."""
        return self.path / "results" / study


CLOCK = "clock.json"
"""Written last into a checkpoint: it marks a complete one."""


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
        return self.path / "imported.json"

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
        """The latest complete checkpoint; one without its marker was being written when the process died."""
        whole = [marker.parent for marker in self.checkpoints.glob(f"checkpoint-*/{CLOCK}")]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

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

    def evaluation(self, digest: str) -> Path:
        """`eval-<digest>.json`: written last."""
        return self.path / f"eval-{digest}.json"

    def outcomes(self, digest: str) -> Path:
        """`eval-<digest>.jsonl`: one Outcome per test document; written once."""
        return self.path / f"eval-{digest}.jsonl"

    def statistics(self, digest: str) -> Path:
        """`statistics-<digest>.jsonl`: one DocumentStatistics per outcome; rewritten if a metric changes."""
        return self.path / f"statistics-{digest}.jsonl"
