"""`bakeoff canary`: whether another version of the stack trains and scores as this one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from experiments.cli.options import AtLeastOne, Json, Root
from experiments.cli.output import err, out, print_json, print_rows
from toolkit.errors import UserError

if TYPE_CHECKING:
    from experiments.canary.drift import Drift


def canary(
    *,
    with_: Annotated[str | None, Parameter(name="--with")] = None,
    against: str | None = None,
    store: Path | None = None,
    bisect: Annotated[bool, Parameter(negative="")] = False,
    seeds: AtLeastOne = 3,
    scale: float = 1.0,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Run the same small runs under two versions of peft, transformers, accelerate or torch, and compare.

    Losses and gradients are paired by step, likelihoods by document. Everything is kept in
    `results/canary.json`. Exit code 1 if anything moved or is undecided. To know whether an upgrade moves
    anything: `--store before.json`, upgrade, `--against before.json`.

    Parameters
    ----------
    with_
        Exact versions of one side, such as `"peft==0.21.0 accelerate==1.12.0"`; what it does not name is as
        installed here. Default: everything as installed here.
    against
        Exact versions of the other side, or a file that `--store` has written.
    store
        Run what is installed here alone, and keep it in this file, which must not exist yet.
    bisect
        Search the releases between the two for the first one that moved; both sides name one package.
    seeds
        Seeds per base and method; one pair of sides takes a minute or two with three. Of a stored side as
        many as it has.
    scale
        Multiplies the margins: 0.001 nats per token, 1 % of the gradient's norm.
    """
    from experiments.canary.compare import compare
    from toolkit.records.files import write_text

    if store is not None:
        if with_ or against or bisect:
            raise UserError(
                "canary: --store measures what is installed, without --with, --against and --bisect"
            )
        return _store(store, seeds, as_json)
    if against is None:
        raise UserError(
            "canary: name the other side, --against VERSIONS or FILE, or keep this one: --store FILE"
        )
    other = Path(against) if against.endswith(".json") else against
    found = compare(with_, other, seeds=seeds, scale=scale, bisect=bisect, tell=err.print)
    value = {
        "verdict": found.verdict,
        "first_moved": found.first_moved,
        "versions": found.versions,
        "drifts": [_finite(drift._asdict()) for drift in found.drifts],
    }
    text = json.dumps({**value, "measured": found.measured}, indent=1, allow_nan=False)
    write_text(root / "results" / "canary.json", text + "\n")
    if as_json:
        print_json(value)
    else:
        rows = [_row(drift) for drift in found.drifts]
        print_rows(f"{with_ or 'installed'} against {against}", rows)
        out.print(_sentence(found.verdict, found.first_moved))
    return 0 if found.verdict in ("equal", "equivalent") else 1


def _store(path: Path, seeds: int, as_json: bool) -> int:
    """Keep what is installed as a side to compare with later."""
    from experiments.canary.compare import store
    from toolkit.records.files import write_text

    if path.suffix != ".json" or path.exists():
        raise UserError(f"canary: --store {path}: a new file that ends in .json")
    measured = store(seeds, err.print)
    write_text(path, json.dumps(measured, indent=1, allow_nan=False) + "\n")
    if as_json:
        print_json({"file": str(path), "versions": measured["versions"], "runs": len(measured["runs"])})
    else:
        after = f"after an upgrade: `bakeoff canary --against {path}`"
        out.print(f"{len(measured['runs'])} runs in {path}; {after}")
    return 0


def _row(drift: Drift) -> dict[str, object]:
    from experiments.canary.drift import UNITS

    interval = f"{drift.distance:.2g} [{drift.low:.2g}, {drift.high:.2g}]"
    return {
        "runs": drift.runs,
        "quantity": drift.quantity.replace("_", " "),
        "distance": f"{interval} {UNITS[drift.quantity]}",
        "first beyond the margin": drift.first,
        "verdict": drift.verdict,
    }


def _sentence(verdict: str, first: str | None) -> str:
    words = {
        "equal": "Equal to the last bit.",
        "equivalent": "Equivalent: every interval lies below its margin.",
        "moved": "Moved: records of the two sides are not to be compared.",
        "undecided": "Undecided: an interval reaches over its margin; more --seeds decide.",
    }
    return words[verdict] + (f" The first release that moved is {first}." if first else "")


def _finite(value: dict[str, object]) -> dict[str, object]:
    """What can't be paired is null, never infinite."""
    return {key: None if inner == float("inf") else inner for key, inner in value.items()}
