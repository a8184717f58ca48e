"""The walkthrough notebook: without outputs, every name exists, and every cell runs at the smallest size."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
import re
import shlex
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest

import bakeoff
from tests.house.imports import PACKAGES, ROOT

NOTEBOOK = ROOT / "experiments" / "walkthrough.ipynb"
STAGES = range(1, 7)
QUESTIONS = range(1, 11)
DOOR = {"study": bakeoff.Study, "result": bakeoff.Result}
"""Variables of the notebook that hold what the Python API returns."""


def notebook() -> Any:
    """The notebook as it is committed."""
    return nbformat.read(NOTEBOOK, as_version=4)


def code() -> list[str]:
    """The source of every code cell."""
    return [cell.source for cell in notebook().cells if cell.cell_type == "code"]


def text() -> str:
    """All markdown cells."""
    return "\n\n".join(cell.source for cell in notebook().cells if cell.cell_type == "markdown")


def imported(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Name in the notebook -> what it is imported from our packages; an error if that does not exist."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    yield alias.asname or alias.name, importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PACKAGES:
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                there = hasattr(module, alias.name)
                value = getattr(module, alias.name) if there else importlib.import_module(whole)
                yield alias.asname or alias.name, value


def test_it_is_committed_without_outputs():
    """Outputs and counts are one machine's, and make every change unreadable."""
    cells = [cell for cell in notebook().cells if cell.cell_type == "code"]
    assert len(cells) >= 20
    for cell in cells:
        assert not cell.outputs
        assert cell.execution_count is None
        assert not cell.metadata


def test_it_is_valid_and_its_cells_are_small():
    """nbformat's own check; no cell has more than 25 lines of code."""
    nbformat.validate(notebook())
    assert max(len(source.splitlines()) for source in code()) <= 25


def test_it_has_every_stage_and_every_question():
    """Six stages and ten written questions, as in the assignment."""
    for number in STAGES:
        assert f"## Stage {number}: " in text()
    for number in QUESTIONS:
        assert re.search(rf"^\*\*{number}\. ", text(), flags=re.MULTILINE), f"question {number}"


def test_every_cell_compiles_and_every_name_exists():
    """Imports from our packages, attributes of these, and what is used of a study and its result."""
    tree = ast.parse("\n\n".join(code()))
    names = {**dict(imported(tree)), **DOOR}
    assert len(names) >= 15
    checked = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            owner = names[node.value.id]
            fields = {field.name for field in dataclasses.fields(owner)} if owner is bakeoff.Study else set()
            assert node.attr in fields or hasattr(owner, node.attr), f"{node.value.id}.{node.attr}"
            checked.add((node.value.id, node.attr))
    assert {("bakeoff", "study"), ("study", "run"), ("result", "verdicts"), ("catalog", "model")} <= checked


def test_its_links_lead_somewhere():
    """Relative to the notebook's folder."""
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text()) if not link.startswith("http")]
    assert len(links) >= 5
    for link in links:
        assert (NOTEBOOK.parent / link).is_file(), link


def test_the_commands_it_shows_are_understood():
    """Each parses; a study that is run loads with its overrides."""
    from experiments.cli.app import app
    from experiments.design import study

    shown = re.findall(r"`bakeoff ([^`]+)`", text())
    assert len(shown) >= 5
    for words in map(shlex.split, shown):
        _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
        if words[0] == "run":
            study.load(bound.arguments["study"], bound.arguments.get("overrides", ()))


def test_what_it_says_of_more_epochs_is_among_the_findings():
    """Both numbers of four epochs are in the page it names."""
    (sentence,) = (one for one in text().split(". ") if "Measured for four epochs" in one)
    findings = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    numbers = re.findall(r"0\.\d{3}", sentence)
    assert len(numbers) == 2
    assert [number for number in numbers if number not in findings] == []


def test_what_it_quotes_is_in_the_repository():
    """Every quoted number of the quickstart is in the README's table; every quoted decision has its title."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for number in ("1.175", "0.806", "0.805", "83.3 %", "−0.0011", "−0.0053 to +0.0036"):
        assert number in text()
        assert number in readme, f"the walkthrough quotes {number}, which the README no longer has"
    decisions = " ".join((ROOT / "DECISIONS.md").read_text(encoding="utf-8").lower().split())
    titles = re.findall(r'`DECISIONS\.md`, "([^"]+)"', text())
    assert len(titles) >= 6
    for title in titles:
        assert title.lower() in decisions, f"DECISIONS.md has no '{title}'"


def test_the_docs_show_it_without_running_it():
    """The page has its title first, every cell, and links that start from docs/."""
    from docs.reference_pages import PAGES

    page = PAGES["walkthrough.md"]()
    assert page.startswith("# Teach a language model")
    assert page.count("```python\n") == len(code())
    assert "../docs/" not in page


@pytest.mark.slow  # loads a real base model in four processes
@pytest.mark.timeout(1800)
def test_it_runs_from_top_to_bottom_at_the_smallest_size(tmp_path, monkeypatch):
    """Eight recipes, eight tokens: no cell fails, three figures are shown, both methods learn, and there is a
    report.
    """
    from nbclient import NotebookClient

    monkeypatch.setenv("BAKEOFF_WALKTHROUGH", "small")
    monkeypatch.delenv("BAKEOFF_ROOT", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    ran = notebook()
    client = NotebookClient(
        ran, timeout=1500, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")
    result = bakeoff.load(tmp_path / "bakeoff-walkthrough" / "results" / "walkthrough")
    assert sorted(result.costs["method"]) == ["full", "lora-r16"]  # training runs: the base is none
    assert result.report.is_file()
    values = result.scores[result.scores["metric"] == "bits_per_byte"].set_index("method")["value"]
    assert values["full"] < values["base"]
    assert values["lora-r16"] < values["base"]
    shown = [
        re.findall(r'result\.plot\("([^"]+)"', source)[0]
        for source, cell in zip(code(), (c for c in ran.cells if c.cell_type == "code"), strict=True)
        if "result.plot(" in source and any("image/png" in output.get("data", {}) for output in cell.outputs)
    ]
    assert shown == ["learning-curves", "metrics", "failures"]
