"""Options that many commands of `bakeoff` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

Root = Annotated[Path, Parameter(help="Folder that holds `runs/` and `results/`.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of a table.")]
AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]
"""A number of turns or seeds."""
