"""The studies in `experiments/results/`: records without weights, packed small, and read again."""

from __future__ import annotations

import io
import json
import lzma
import shlex
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from experiments.design import study as studies
from experiments.sharing.export import export
from toolkit.errors import UserError
from toolkit.records import Conclusions, RunRecord
from toolkit.records.files import whole_file
from toolkit.specs.reading import parse_yaml

RESULTS = Path(__file__).parents[1] / "results"
RECORDS = "records.bakeoff.zip.xz"
"""What `bakeoff export` writes, without its own compression, and then xz over the whole: runs of one study
repeat each other's references and settings, which takes two to four times less space."""
SETTINGS = ("data", "search", "seeds", "tuning_seeds", "train", "evaluate", "metrics")
"""Keys of a study file in which a kept study may differ from the file of now."""
AXES = ("data.train", "train.epochs")
"""Of these the keys that take one value as well as a list."""
DATE = (1980, 1, 1, 0, 0, 0)
"""Of every entry: the same records give the same bytes."""


class Kept(NamedTuple):
    """What the pages are written from."""

    conclusions: Conclusions
    runs: dict[str, RunRecord]
    """By run id."""
    overrides: tuple[str, ...] = ()
    """What makes the study file of now the one that ran."""

    @property
    def command(self) -> str:
        """The command that runs it again."""
        return shlex.join(["bakeoff", "run", self.conclusions.study, *self.overrides])

    @property
    def missing(self) -> list[str]:
        """The methods of the study file that these records say nothing of; none if there is no such file."""
        if not (studies.STUDIES / f"{self.conclusions.study}.yaml").is_file():
            return []
        ran = {cell.method for cell in self.conclusions.cells}
        return [name for name in studies.load(self.conclusions.study).methods if name not in ran]


def kept(results: Path = RESULTS) -> list[str]:
    """Return the names of the studies that are kept."""
    return sorted(path.parent.name for path in results.glob(f"*/{RECORDS}"))


def keep(name: str, overrides: Sequence[str], root: Path, results: Path = RESULTS) -> Path:
    """Pack a study's finished runs and conclusions under ``root`` into ``results``; return the file.

    Raises UserError if the study has no conclusions there.
    """
    with TemporaryDirectory() as folder:
        packed = Path(folder) / "study.zip"
        export(name, overrides, root, packed)
        content = _without_compression(packed)
    conclusions = _read(content, name).conclusions
    target = results / conclusions.study / RECORDS
    with whole_file(target) as neighbour:
        neighbour.write_bytes(lzma.compress(content, preset=9))
    return target


@contextmanager
def archive(study: str, results: Path = RESULTS) -> Iterator[Path]:
    """Yield a kept study as a file that `bakeoff import` takes, for as long as the context lasts."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{study}.bakeoff.zip"
        path.write_bytes(_content(study, results))
        yield path


def read(study: str, results: Path = RESULTS) -> Kept:
    """Read a kept study's conclusions and the records of its runs, in a second."""
    return _read(_content(study, results), study)


def _content(study: str, results: Path) -> bytes:
    path = results / study / RECORDS
    if not path.is_file():
        raise UserError(
            f"study '{study}' is not kept in {results}: there are {', '.join(kept(results)) or 'none'}"
        )
    return lzma.decompress(path.read_bytes())


def _read(content: bytes, study: str) -> Kept:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = packed.namelist()
        concluded = [name for name in names if name.endswith("/comparisons.json")]
        if not concluded:
            raise UserError(f"study '{study}' has no conclusions to keep: run `bakeoff run {study}` first")
        runs = [
            RunRecord.model_validate_json(packed.read(name)) for name in names if name.endswith("/run.json")
        ]
        conclusions = Conclusions.model_validate_json(packed.read(concluded[0]))
        ran = [parse_yaml(packed.read(n).decode(), n) for n in names if n.endswith("/study.yaml")]
    overrides = overrides_of(study, ran[0]) if ran else ()
    used = {cell.run_id for cell in conclusions.cells}  # the whole study's, where a part of it was concluded
    return Kept(conclusions, {run.run_id: run for run in runs if run.run_id in used}, overrides)


def overrides_of(study: str, ran: Mapping[str, Any]) -> tuple[str, ...]:
    """The `key=value` pairs in which a study that ran differs from the file of that name of now."""
    if not (studies.STUDIES / f"{study}.yaml").is_file():
        return ()
    now = studies.load(study).model_dump(mode="json")
    found = []
    for key, value in _leaves({key: ran[key] for key in SETTINGS if key in ran}):
        at: Any = now
        for part in key.split("."):
            at = at.get(part) if isinstance(at, dict) else None
        if at != value:
            one = value[0] if key in AXES and isinstance(value, list) and len(value) == 1 else value
            found.append(f"{key}={one if isinstance(one, str) else json.dumps(one)}")
    if (names := list(ran.get("methods", ()))) and names != list(now["methods"]):
        found.append(f"methods=[{', '.join(names)}]")
    return tuple(found)


def _leaves(value: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{at}{key}.")
        else:
            yield f"{at}{key}", inner


def _without_compression(packed: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as target:
        for entry in source.infolist():
            target.writestr(zipfile.ZipInfo(entry.filename, DATE), source.read(entry))
    return stream.getvalue()
