"""What `make setup` installs is locked: every version of constraints.txt has its hashes."""

from __future__ import annotations

import re

from tests.house.imports import ROOT
from tests.supply_chain import report

UNHASHED = {"torch"}
"""Its build depends on the machine: a CPU's or a GPU's."""


def versions(name: str) -> dict[str, str]:
    """Package -> version of a requirements file."""
    text = (ROOT / name).read_text(encoding="utf-8")
    pairs = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s\\]+)", text, flags=re.MULTILINE)
    return {re.sub("[-_.]+", "-", package).lower(): version for package, version in pairs}


def test_the_lock_holds_every_constraint_and_pip_and_nothing_else():
    """About 180 packages; after a change of constraints.txt, `make lock`."""
    constraints, locked = versions("constraints.txt"), versions("requirements-locked.txt")
    assert len(constraints) > 150
    assert locked.pop("pip")
    assert locked == {name: version for name, version in constraints.items() if name not in UNHASHED}


def test_every_locked_package_has_hashes():
    """Each entry is followed by at least one SHA-256, and the Makefile makes pip compare them."""
    text = (ROOT / "requirements-locked.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(versions("requirements-locked.txt"))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry) for entry in entries)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--no-deps --require-hashes --requirement requirements-locked.txt" in makefile


def test_an_audit_without_an_answer_is_no_clean_audit(capsys):
    """Three packages: one sound, one with a vulnerability, one that the list lacks: exit 1, both named."""
    sound = {"name": "a", "version": "1", "vulns": []}
    weak = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
    unknown = {"name": "c", "skip_reason": "not found"}
    assert report([sound]) == 0
    assert report([sound, unknown]) == 1
    assert report([sound, weak, unknown]) == 1
    said = capsys.readouterr().out
    assert "b 2: CVE-1, fixed in: 3" in said
    assert "3 packages, 1 known vulnerabilities, 1 without an answer" in said
