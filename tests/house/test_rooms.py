"""Rooms stay small, imports go one way, and nothing imports in a circle."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set
from pathlib import Path

import pytest

from tests.house.imports import (
    PACKAGES,
    ROOT,
    among_children,
    circles,
    graph,
    imports_of,
    modules,
)

SIBLINGS = 9
"""Modules and packages in one folder: about what a reader takes in at a glance."""
MORE_SIBLINGS = {
    "toolkit": 11,  # the roots that every room uses (errors, runtime, events, ...) beside rooms
    "eval.statistics": 11,  # a verdict's whole way, from arrays to power and looks: one formula, one file
    "eval.metrics": 11,  # seven kinds of metrics, and what they share: base, texts, words, own
    "experiments.analysis": 10,  # one file per kind of conclusion, and the one that computes them again
    "toolkit.records": 11,  # one file per record on disk, beside what reads, writes and checks them
    "eval": 10,  # four rooms, and modules on an evaluation as a whole: harness, audit, anchors, ...
    "experiments": 10,  # nine rooms of code and those of data: studies, results
    "figures.plots": 10,  # one file per kind of figure, beside `common` and `ticks`
    "toolkit.data": 11,  # `texts` and `conversations` beside the nine of the design
}

MAY_IMPORT = {
    "toolkit": ("toolkit",),
    "eval": ("toolkit", "eval"),
    "figures": ("figures", "toolkit.records", "toolkit.errors"),
    "experiments": ("toolkit", "eval", "figures", "experiments"),
    "bakeoff": ("toolkit", "eval", "figures", "experiments", "bakeoff"),
}

UPWARD: set[str] = set()


def siblings(package: str) -> list[str]:
    """Names of the modules and packages in a package's folder, `__init__` and `__main__` aside."""
    folder = modules()[package].parent
    files = [file.stem for file in folder.glob("*.py") if not file.stem.startswith("__")]
    return sorted(files + [sub.name for sub in folder.iterdir() if (sub / "__init__.py").exists()])


PACKAGE_NAMES = [name for name, file in modules().items() if file.name == "__init__.py"]


@pytest.mark.parametrize("package", PACKAGE_NAMES)
def test_a_folder_holds_few_siblings(package):
    """Nine, and a few more for the rooms named above with their reason."""
    names = siblings(package)
    allowed = MORE_SIBLINGS.get(package, SIBLINGS)
    assert len(names) <= allowed, f"{package} holds {len(names)}, at most {allowed}: {', '.join(names)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_flow_one_way(package):
    """toolkit <- eval <- experiments <- bakeoff, and figures reads records and errors alone."""
    names = [name for name in modules() if name.split(".")[0] == package]
    assert names
    for name in names:
        for target in imports_of(modules()[name].read_text(encoding="utf-8")):
            if target.split(".")[0] not in PACKAGES:
                continue
            allowed = any(f"{target}.".startswith(f"{prefix}.") for prefix in MAY_IMPORT[package])
            half = package == "figures" and target == "toolkit"  # as in `from toolkit import errors`
            assert allowed or half or name in UPWARD, f"{name} imports {target}"


def test_no_modules_import_in_a_circle():
    """Imports inside functions count: a circle in disguise is a circle."""
    assert len(graph()["eval.harness"]) > 3
    groups = [sorted(group) for group in circles(graph())]
    assert not groups, f"modules import each other in a circle: {groups}"


@pytest.mark.parametrize("package", ["", *PACKAGE_NAMES])
def test_no_rooms_import_in_a_circle(package):
    """Among the modules and folders of a folder, too: two rooms that need each other are one room."""
    groups = [sorted(group) for group in circles(among_children(graph(), package))]
    assert not groups, f"rooms import each other in a circle: {groups}"


def test_circles_are_found_at_any_length():
    """a -> b -> c -> a is one circle; d, which only imports a, is in none."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [frozenset("abc")]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_a_private_module_is_imported_from_its_own_folder_alone():
    """A leading underscore means: for this folder and those in it. None is there yet."""
    assert intruders(graph()) == []
    home = {"eval.metrics._own": set(), "eval.metrics.reference.bleu": {"eval.metrics._own"}}
    assert intruders(home) == []
    assert intruders({**home, "figures.plots.bars": {"eval.metrics._own"}}) == [
        ("figures.plots.bars", "eval.metrics._own")
    ]


def intruders(imports: Mapping[str, Set[str]]) -> list[tuple[str, str]]:
    """Module and private module of another folder that it imports."""
    return [
        (name, target)
        for name, targets in imports.items()
        for target in targets
        if target.rpartition(".")[2].startswith("_")
        and not f"{name}.".startswith(f"{target.rpartition('.')[0]}.")
        and not target.endswith("__main__")
    ]


@pytest.mark.parametrize("package", PACKAGE_NAMES)
def test_a_package_says_what_it_holds(package):
    """Its docstring has two sentences or more: what the room is for, and what is in it."""
    text = ast.get_docstring(ast.parse(modules()[package].read_text(encoding="utf-8")))
    assert text, f"{package} has no docstring"
    enough = len(text.split()) >= 15 and "\n" in text
    assert enough, f"{package}/__init__.py says too little: {text!r}"


def test_no_file_of_the_packages_is_forgotten():
    """Every folder with Python files is a package, so that no module escapes these tests and the wheel."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            init = file.parent / "__init__.py"
            assert init.exists() or "hf_evaluate" in file.parts, f"{Path(file).parent} lacks __init__.py"
