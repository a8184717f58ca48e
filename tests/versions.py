"""Run tests on another Python, or with other versions of the stack: `make versions`. Not a test.

It needs a connection and minutes. Everything lands in `build/versions/`: a virtual environment for each
combination, the log of each step, and one line per combination in `results.jsonl`. Only the standard library
is imported, so that any interpreter can start it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOME = ROOT / "build" / "versions"
STACKS = ("tested", "lowest", "newest")
TOOLS = ("hypothesis", "pytest", "pytest-timeout", "rouge-score", "tensorboardx")
"""The packages of the group `dev` that the tests import."""
REPORTED = ("accelerate", "datasets", "numpy", "pandas", "peft", "torch", "transformers")
BOUND = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)(?:,<[0-9.]+)?")


def lower_bounds(dependencies: list[str]) -> list[str]:
    """Return `name==bound` for requirements such as `name>=bound,<other`. torch is left out: see `main`.

    Raises ValueError for a requirement without a lower bound.
    """
    pins = []
    for one in dependencies:
        match = BOUND.fullmatch(one)
        if match is None:
            raise ValueError(f"pyproject.toml: '{one}' has no lower bound")
        if match[1] != "torch":
            pins.append(f"{match[1]}=={match[2]}")
    return pins


def constraints(stack: str, torch: str) -> list[str]:
    """Return the lines of pip's constraints file for a stack; `newest` holds torch alone."""
    tested = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in tested if "==" in line]
    build = f"torch=={torch}" if torch else next(line for line in pinned if line.startswith("torch=="))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    others = {
        "tested": [line for line in pinned if not line.startswith("torch==")],
        "lowest": lower_bounds(project["dependencies"]),
        "newest": [],
    }
    return [build, *others[stack]]


def tools() -> list[str]:
    """Return the requirements of `TOOLS`, as the group `dev` of pyproject.toml has them."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    named = {re.split("[<>=]", one)[0]: one for one in groups["dev"] if isinstance(one, str)}
    return [named[name] for name in TOOLS]


def install(folder: Path, lines: list[str]) -> int:
    """Make the virtual environment in `folder / "env"` and install into it; return pip's exit code."""
    python = folder / "env" / "bin" / "python"
    if not python.is_file():
        venv.create(folder / "env", with_pip=True)
    (folder / "constraints.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--no-input", "--no-compile", "--disable-pip-version-check"]
    wanted = ["--constraint", str(folder / "constraints.txt"), *tools(), "--editable", str(ROOT)]
    embedded = ["--no-deps", "--require-hashes", "--requirement", str(ROOT / "requirements-embedded.txt")]
    with (folder / "install.log").open("w", encoding="utf-8") as log:
        for arguments in (wanted, embedded):
            code = subprocess.run([*pip, *arguments], stdout=log, stderr=log, check=False).returncode
            if code:
                return code
    return 0


def versions(folder: Path) -> dict[str, str]:
    """Return the versions of `REPORTED` in an environment."""
    code = "import json, sys; from importlib.metadata import version; " + (
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    command = [str(folder / "env" / "bin" / "python"), "-c", code, *REPORTED]
    found: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def run_tests(folder: Path, selection: list[str]) -> dict[str, Any]:
    """Run pytest over the selection, on one core; return its exit code and its last line."""
    options = ["-q", "-p", "no:cacheprovider", "-m", "not slow and not hub and not browser"]
    command = [str(folder / "env" / "bin" / "python"), "-m", "pytest", *options, *selection]
    with (folder / "tests.log").open("w", encoding="utf-8") as log:
        one_core = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, env=one_core, check=False)
    lines = (folder / "tests.log").read_text(encoding="utf-8").strip().splitlines() or ["no output"]
    return {"exit_code": done.returncode, "tests": lines[-1].strip("= ")}


def main() -> int:
    """Return 0 if everything could be installed and every test passed.

    torch is the version of constraints.txt unless `--torch` names one: other builds are gigabytes.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", choices=STACKS, default="tested")
    parser.add_argument("--torch", default="", help="a version of torch; empty: that of constraints.txt")
    parser.add_argument("selection", nargs="+", help="files and folders with tests")
    settings = parser.parse_args()
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}-{settings.stack}"
    folder = HOME / (f"{name}-torch{settings.torch}" if settings.torch else name)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    line: dict[str, Any] = {"python": sys.version.split()[0], "stack": settings.stack}
    if install(folder, constraints(settings.stack, settings.torch)):
        text = (folder / "install.log").read_text(encoding="utf-8")
        errors = [one for one in text.splitlines() if one.startswith("ERROR:")] or ["no message"]
        line |= {"exit_code": 1, "error": errors[0]}
    else:
        line |= versions(folder) | run_tests(folder, settings.selection)
    line["seconds"] = round(time.monotonic() - began)
    with (HOME / "results.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    print(json.dumps(line, indent=1), f"\nlogs: {folder}")
    return int(line["exit_code"] != 0)


if __name__ == "__main__":
    sys.exit(main())
