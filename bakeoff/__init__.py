"""The Python API: score texts, compare them, run a study, load its results. It has no logic of its own.

`score` and `compare` take lists of texts; `study(...).run()` and `load(folder)` give a `Result` with pandas
frames and figures. Nothing heavy is imported before it is used, and `import bakeoff` never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bakeoff import columns

if TYPE_CHECKING:
    from bakeoff.results import Result, load
    from bakeoff.studies import Study, study
    from eval.foreign.texts import Score, compare, score
    from eval.statistics.compare import Difference
    from toolkit.errors import UserError

__all__ = [
    "Difference",
    "Result",
    "Score",
    "Study",
    "UserError",
    "columns",
    "compare",
    "load",
    "score",
    "study",
]

_HOMES = {
    "Difference": "eval.statistics.compare",
    "Result": "bakeoff.results",
    "Score": "eval.foreign.texts",
    "Study": "bakeoff.studies",
    "UserError": "toolkit.errors",
    "compare": "eval.foreign.texts",
    "load": "bakeoff.results",
    "score": "eval.foreign.texts",
    "study": "bakeoff.studies",
}
"""Public name -> the module that defines it, imported when the name is first used."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("bakeoff")
    if name not in _HOMES:
        raise AttributeError(f"module 'bakeoff' has no attribute '{name}'")
    from bakeoff.own_packages import use_own_packages

    use_own_packages()
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
