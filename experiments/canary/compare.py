"""Run the sides of a canary, or read a stored one; compare them; search the release at which they parted."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.canary.drift import MARGINS, Drift, Verdict, drifts, overall
from experiments.canary.environments import environment_for, pins, releases
from toolkit.errors import UserError, last_reason, one_line, visible
from toolkit.runtime import child_environment, machine, wait_passively

Tell = Callable[[str], None]


class Compared(NamedTuple):
    """What a canary found."""

    verdict: Verdict
    versions: dict[str, dict[str, str]]
    """`with` and `against` -> package -> the version that ran."""
    drifts: list[Drift]
    first_moved: str | None
    """The first release that moved, if it was searched for."""
    measured: dict[str, Any]
    """`with` and `against` -> every series, to be kept and compared again."""


def store(seeds: int, tell: Tell) -> dict[str, Any]:
    """Run the small runs with what is installed; `compare` takes the result as a stored side later.

    Raises UserError if they fail.
    """
    with tempfile.TemporaryDirectory(prefix="bakeoff-canary-") as folder:
        _make_bases(Path(folder))
        tell("running what is installed")
        measured = _measured({}, Path(folder), seeds)
        return {**measured, "bases": _hashes(Path(folder)), "machine": machine()}


def compare(
    with_: str | None,
    against: str | Path,
    *,
    seeds: int = 3,
    scale: float = 1.0,
    bisect: bool = False,
    tell: Tell,
) -> Compared:
    """Run the same small runs with the versions of both sides, and compare them.

    ``with_`` None is what is installed, and a path as ``against`` a side that `store` has measured: its
    number of seeds is taken. ``scale`` multiplies the margins. ``bisect`` searches the releases between the
    two, which must then name one and the same package. Raises UserError if a side can't be installed, run or
    read, or if the stored runs started from other weights.
    """
    stored = _stored(against) if isinstance(against, Path) else None
    if stored is not None:
        seeds = len({name.rpartition(" ")[2] for name in stored["runs"]})
        here = machine()
        if any(stored["machine"].get(fact) != here[fact] for fact in ("processor", "cores", "python")):
            tell(f"{against} was made on another machine: what differs may come from that")
    sides = {"with": pins(with_) if with_ else {}}
    if isinstance(against, str):
        sides["against"] = pins(against)
    if bisect and (len(sides["with"]) != 1 or sides["with"].keys() != sides.get("against", {}).keys()):
        raise UserError("canary: --bisect needs one package, the same on both sides")
    with tempfile.TemporaryDirectory(prefix="bakeoff-canary-") as folder:
        bases = Path(folder)
        _make_bases(bases)
        if stored is not None and stored["bases"] != _hashes(bases):
            raise UserError(
                f"canary: the runs in {against} started from other files of weights or tokenizer: what makes "
                "them has changed. Measure both sides with --with and --against VERSIONS"
            )

        def measured(side: dict[str, str]) -> dict[str, Any]:
            tell(f"running {' '.join(f'{n}=={v}' for n, v in side.items()) or 'what is installed'}")
            return _measured(side, bases, seeds)

        results = {name: measured(side) for name, side in sides.items()}
        if stored is not None:
            results["against"] = stored
        found = drifts(results["with"]["runs"], results["against"]["runs"], scale)
        verdict, first = overall(found), None
        if bisect and verdict == "moved":
            (package,) = sides["with"]
            good, bad = sides["against"][package], sides["with"][package]

            def moved(version: str) -> bool:
                runs = measured({package: version})["runs"]
                return overall(drifts(runs, results["against"]["runs"], scale)) == "moved"

            first = first_moved(between(releases(package), good, bad), moved)
    versions = {name: result["versions"] for name, result in results.items()}
    return Compared(verdict, versions, found, first, results)


def between(known: Sequence[str], good: str, bad: str) -> list[str]:
    """Return the releases after ``good`` up to ``bad``, whichever of the two is newer, ``bad`` last.

    Raises UserError if one of them is not among the releases.
    """
    for version in (good, bad):
        if version not in known:
            raise UserError(
                f"canary: pip knows no release {version} to search from. It knows {', '.join(known[-8:])}"
            )
    start, stop = known.index(good), known.index(bad)
    if start < stop:
        return list(known[start + 1 : stop + 1])
    return list(reversed(known[stop:start]))


def first_moved(candidates: Sequence[str], moved: Callable[[str], bool]) -> str:
    """Return the first candidate that moved, by halving; the last one is known to have."""
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if moved(candidates[middle]):
            high = middle
        else:
            low = middle + 1
    return candidates[low]


def _stored(path: Path) -> dict[str, Any]:
    """Read a side that was stored. Raises UserError if the file is no such thing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        series = [run[quantity] for run in value["runs"].values() for quantity in MARGINS]
        sound = bool(series) and all(isinstance(one, list) for one in series)
        sound &= all(one is None or isinstance(one, int | float) for many in series for one in many)
        sound &= all(isinstance(value[key], dict) for key in ("versions", "bases", "machine"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"canary: cannot read {path}: {one_line(error)}") from error
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UserError(
            f"canary: {path} holds no stored runs; `bakeoff canary --store {path}` makes such a file"
        )
    return dict(value)


def _hashes(bases: Path) -> dict[str, str]:
    """Path -> SHA-256 of the weights and the tokenizer of every base."""
    files = [*bases.glob("*/model.safetensors"), *bases.glob("*/tokenizer.json")]
    return {
        path.relative_to(bases).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def _make_bases(folder: Path) -> None:
    from experiments.canary.runs import make_bases
    from toolkit import runtime

    runtime.quiet_libraries()
    make_bases(folder)


def _measured(side: dict[str, str], bases: Path, seeds: int) -> dict[str, Any]:
    """Run a side in its environment, this one if it names nothing; one that can't run is a UserError."""
    fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONSAFEPATH": "1"}
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    wait_passively(environment)
    python = str(environment_for(side)) if side else sys.executable
    done = subprocess.run(
        [python, "-m", "experiments.canary.runs"],
        input=json.dumps({"bases": str(bases), "seeds": seeds}) + "\n",
        env=(environment if side else child_environment()) | fixed,
        capture_output=True,
        text=True,
        check=False,
    )
    named = " ".join(f"{name}=={version}" for name, version in side.items()) or "what is installed"
    if done.returncode:
        raise UserError(f"canary: the runs fail with {named}: {visible(last_reason(done.stderr))[:300]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name, version in side.items():
        if result["versions"][name].partition("+")[0] != version.partition("+")[0]:
            raise UserError(f"canary: {named} was requested, and {name} {result['versions'][name]} ran")
    return result
