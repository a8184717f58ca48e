"""The import graph of the packages, read from their syntax trees: nothing is imported to find it out."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(
    name for name in ("toolkit", "eval", "figures", "experiments", "bakeoff") if (ROOT / name).is_dir()
)

Graph = dict[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name; a package's `__init__` has the package's name."""
    files = {}
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return files


def imports_of(source: str) -> set[str]:
    """Dotted names that a source imports, at any depth: `from a import b` gives both `a` and `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def graph() -> Graph:
    """Module -> the project's modules that it imports.

    `from package import module` is an import of the module, not of the package; a name that the package's
    `__init__` defines is an import of the package.
    """
    edges: Graph = {}
    for name, file in modules().items():
        edges[name] = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                edges[name] |= {alias.name for alias in node.names if alias.name in modules()}
            elif isinstance(node, ast.ImportFrom) and node.module in modules():
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    edges[name].add(whole if whole in modules() else node.module)
        edges[name].discard(name)
    return edges


def among_children(edges: Graph, package: str) -> Graph:
    """The same graph among the modules and folders directly in a package, each folder one node.

    A folder may use some modules beside it and be used by others: `toolkit.data.corpus` reads
    `toolkit.data.sources`, which use `toolkit.data.texts`. A circle is only what leads back to its start.
    """
    prefix = f"{package}." if package else ""

    def child(name: str) -> str | None:
        return prefix + name.removeprefix(prefix).split(".")[0] if name.startswith(prefix) else None

    children: Graph = {}
    for name, targets in edges.items():
        here = child(name)
        if here is not None:
            children.setdefault(here, set()).update(there for there in map(child, targets) if there)
            children[here].discard(here)
    return children


def circles(edges: Graph) -> list[frozenset[str]]:
    """Groups of nodes that reach each other, each of two or more (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(frozenset(group))

    for node in sorted(edges):
        if node not in order:
            visit(node)
    return groups
