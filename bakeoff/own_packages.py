"""Import bakeoff's own `toolkit`, `eval`, `figures` and `experiments`, whatever a user's folder holds."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGES = ("toolkit", "eval", "figures", "experiments")
HOME = Path(__file__).resolve().parent.parent
"""The folder that holds this package and the four."""


class _OwnFinder(MetaPathFinder):
    """Finds the four packages in `HOME`, before the folders of `sys.path` are searched."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of one of the four; None for any other module."""
        if fullname not in PACKAGES or path is not None:
            return None
        folder = HOME / fullname
        return spec_from_file_location(
            fullname, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def use_own_packages() -> None:
    """Import the four packages from beside this one, even if a user's folder hides them.

    A folder of the same name that would be found first is passed over, with a warning that names it.

    Raises
    ------
    ImportError
        If such a folder has been imported already; the message names it and the remedy.
    """
    hidden = []
    for name in PACKAGES:
        place = _place(name)
        if place is None or place == HOME / name:
            continue
        if name in sys.modules:
            raise ImportError(
                f"bakeoff needs its own package '{name}', but {place} is imported under that name. "
                "Import bakeoff first, rename that folder, or start Python with -P from another folder"
            )
        hidden.append(place)
    if hidden and not any(isinstance(finder, _OwnFinder) for finder in sys.meta_path):
        names = ", ".join(str(place) for place in hidden)
        warnings.warn(
            f"bakeoff uses its own packages of these names; in this process they hide {names}",
            stacklevel=3,
        )
        sys.meta_path.insert(0, _OwnFinder())


def _place(name: str) -> Path | None:
    """Return the folder or file that ``name`` is, or would be, imported from; None if there is none."""
    module = sys.modules.get(name)
    spec = find_spec(name) if module is None else module.__spec__
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    return Path(places[0] if places else spec.origin or "").resolve()
