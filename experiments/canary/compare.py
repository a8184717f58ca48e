"""Run both sides of a canary, compare them, and search the release at which they parted."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.canary.drift import Drift, Verdict, drifts, overall
from experiments.canary.environments import environment_for, pins, releases
from toolkit.errors import UserError, last_reason, visible
from toolkit.runtime import wait_passively

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


def compare(
    with_: str, against: str, *, seeds: int = 3, scale: float = 1.0, bisect: bool = False, tell: Tell
) -> Compared:
    """Run the same small runs with the versions of both sides, and compare them.

    ``scale`` multiplies the margins. ``bisect`` searches the releases between the two, which must then name
    one and the same package. Raises UserError if a side can't be installed or run.
    """
    sides = {"with": pins(with_), "against": pins(against)}
    if bisect and (len(sides["with"]) != 1 or sides["with"].keys() != sides["against"].keys()):
        raise UserError("canary: --bisect needs one package, the same on both sides")
    with tempfile.TemporaryDirectory(prefix="bakeoff-canary-") as folder:
        bases = Path(folder)
        _make_bases(bases)

        def measured(side: dict[str, str]) -> dict[str, Any]:
            tell(f"running {' '.join(f'{name}=={version}' for name, version in side.items())}")
            return _measured(side, bases, seeds)

        results = {name: measured(side) for name, side in sides.items()}
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


def _make_bases(folder: Path) -> None:
    from experiments.canary.runs import make_bases
    from toolkit import runtime

    runtime.quiet_libraries()
    make_bases(folder)


def _measured(side: dict[str, str], bases: Path, seeds: int) -> dict[str, Any]:
    """Run a side in its environment; a version that can't run is a UserError with its reason."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONSAFEPATH": "1"}
    wait_passively(environment)
    done = subprocess.run(
        [str(environment_for(side)), "-m", "experiments.canary.runs"],
        input=json.dumps({"bases": str(bases), "seeds": seeds}) + "\n",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    named = " ".join(f"{name}=={version}" for name, version in side.items())
    if done.returncode:
        raise UserError(f"canary: the runs fail with {named}: {visible(last_reason(done.stderr))[:300]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name, version in side.items():
        if result["versions"][name].partition("+")[0] != version.partition("+")[0]:
            raise UserError(f"canary: {named} was requested, and {name} {result['versions'][name]} ran")
    return result
