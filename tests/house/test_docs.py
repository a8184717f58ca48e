"""The README and docs/: the tree is the disk, links lead somewhere, every block of code is valid."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from tests.house.imports import PACKAGES, ROOT, modules

DOCS = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/**/*.md"))]
PAGES = ["README.md", "CONTRIBUTING.md", *DOCS]
GENERATED = ("reference/commands.md", "reference/metrics.md", "reference/records.md", "walkthrough.md")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language in a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def pages_with(language: str) -> list[str]:
    """Pages that hold such a block."""
    return [page for page in PAGES if blocks(page, language)]


def tree() -> dict[str, str]:
    """The README's tree: path -> its phrase."""
    block = next(text for text in blocks("README.md", "text") if text.startswith("bakeoff/"))
    named: dict[str, str] = {}
    parents: list[str] = []
    for line in filter(str.strip, block.splitlines()):
        name, _, phrase = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [name.rstrip("/")]
        named["/".join(parents)] = phrase.strip()
    return named


def test_the_readmes_tree_is_the_disk():
    """Every path it names exists and has a phrase; every room of two levels is in it; it stays short."""
    named = tree()
    assert 20 <= len(named) <= 40
    for path, phrase in named.items():
        assert (ROOT / path).exists(), f"README names {path}, which does not exist"
        assert phrase, f"README says nothing about {path}"
    for module, file in modules().items():
        path = module.replace(".", "/")
        if file.name == "__init__.py" and path.count("/") <= 1:
            assert path in named, f"README's tree lacks {path}/"
    assert set(PACKAGES) <= set(named)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Relative links name files of the repository or generated pages, and headings that exist."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:|mailto:", link):
            continue
        target, _, heading = link.partition("#")
        path = (ROOT / page).parent / target if target else ROOT / page
        generated = any(str(path).endswith(name) for name in GENERATED)
        assert path.exists() or generated, f"{page} links to {link}, which does not exist"
        if heading and path.suffix == ".md" and not generated:
            titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
            assert heading in slugs, f"{page} links to {link}, which has no such heading"


def test_every_page_is_in_the_navigation():
    """MkDocs warns too, but only where it is installed."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert len(DOCS) >= 15
    for page in DOCS:
        assert page.removeprefix("docs/") in navigation, f"{page} is not in mkdocs.yml"


def commands(page: str) -> list[list[str]]:
    """Every `bakeoff` call of a page's consoles, split as a shell splits it."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    calls = [re.match(r"\$ (?:\.venv/bin/)?bakeoff (.+)", line) for line in lines]
    return [shlex.split(call.group(1), comments=True) for call in calls if call]


def test_pages_show_commands():
    """The tests below are not empty."""
    assert sum(len(commands(page)) for page in PAGES) >= 25


@pytest.mark.parametrize("page", pages_with("console"))
def test_every_command_is_understood(page):
    """Each parses to a command with its arguments; a study it names loads with its overrides."""
    from experiments.cli.app import app
    from experiments.design import study

    for words in commands(page):
        _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
        named = bound.arguments.get("study")
        if words[0] in ("run", "plan", "data") and not str(named).endswith(".yaml"):
            study.load(named, bound.arguments.get("overrides", ()))


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_every_yaml_block_is_valid(page):
    """A block that opens with a question is a whole study; any other is at least YAML."""
    from experiments.design.study import StudySpec, load
    from toolkit.specs.reading import parse_yaml

    for text in blocks(page, "yaml"):
        value = parse_yaml(text, page)
        assert value
        if "question" in value:
            overrides = [f"{key}={text_of(item)}" for key, item in value.items()]
            loaded = load("quickstart", ["name=shown", *overrides])
            assert isinstance(loaded, StudySpec)


def text_of(value: object) -> str:
    """A value as an override writes it: JSON, which is YAML."""
    import json

    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize("page", pages_with("python"))
def test_every_python_block_compiles(page):
    """`tests/bakeoff/test_shown_lines.py` runs those that use the door."""
    for text in blocks(page, "python"):
        ast.parse(text, page)


@pytest.mark.parametrize("page", pages_with("bash"))
def test_every_script_parses(page):
    """Bash reads each without running it."""
    import subprocess

    for text in blocks(page, "bash"):
        done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)  # noqa: S607
        assert done.returncode == 0, done.stderr


def test_what_ci_runs_parses_and_calls_the_targets():
    """A script that bash cannot read would fail before the first check."""
    import subprocess

    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True, check=False)  # noqa: S607
    assert done.returncode == 0, done.stderr
    assert "\nmake lint test docs\n" in text


def test_reference_pages_are_made_from_the_code():
    """Each metric, command and record has a section; each column of the door a row."""
    from bakeoff import columns
    from docs import reference_pages
    from eval.metrics import all_metrics

    text = reference_pages.metrics()
    assert text.count("\n| Formula ") == text.count("\n| Source ") == len(all_metrics())
    for name, item in all_metrics().items():
        assert f"`{name}`" in text
        assert item.signature.replace("|", "\\|") in text
    for command in ("run", "plan", "judge", "bench"):
        assert f"## bakeoff {command}" in reference_pages.commands()
    assert "## RunRecord" in reference_pages.records()
    assert "| `peak_memory_bytes` | `int or None` |" in reference_pages.records()
    assert all(f"`{name}`" in reference_pages.columns() for name in columns.VERDICTS)


def test_the_page_on_python_has_the_tables_of_columns():
    """The hook puts them where the marker is."""
    from docs.reference_pages import COLUMNS

    assert COLUMNS in Path(ROOT / "docs/python.md").read_text(encoding="utf-8")


@pytest.mark.slow  # `make docs` is a step of CI
def test_the_site_builds_without_warnings(tmp_path):
    """`make docs`: every link, anchor and page of the navigation, and the generated pages."""
    import os
    import subprocess
    import sys

    build = [
        sys.executable,
        "-P",
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in GENERATED:
        assert (tmp_path / name.removesuffix(".md") / "index.html").is_file()
