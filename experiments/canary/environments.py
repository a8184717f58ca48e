"""A virtual environment for a side: what it names is installed, everything else is shared with this one."""

from __future__ import annotations

import hashlib
import re
import site
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

from toolkit.errors import UserError, unknown_name, visible
from toolkit.records.files import whole_folder
from toolkit.records.folders import cache_folder

STACK = ("accelerate", "peft", "safetensors", "tokenizers", "torch", "transformers")
"""Packages whose versions can be compared."""
PINNED = re.compile(r"([A-Za-z0-9_.-]+)==([A-Za-z0-9_.+!]+)")
SHARED = "shared.pth"


def pins(text: str) -> dict[str, str]:
    """Return package -> version of a side such as `peft==0.19.1 accelerate==1.12.0`.

    Raises UserError unless each is a package of `STACK` with an exact version.
    """
    found: dict[str, str] = {}
    for one in text.replace(",", " ").split():
        match = PINNED.fullmatch(one)
        if match is None:
            raise UserError(f"canary: '{one}' is no exact version; write it as peft==0.19.1")
        name = match[1].lower()
        if name not in STACK:
            raise unknown_name("package for the canary:", name, STACK)
        found[name] = match[2]
    if not found:
        raise UserError("canary: name at least one package and version, such as peft==0.19.1")
    return found


def environment_for(side: dict[str, str]) -> Path:
    """Return the Python of a virtual environment with these versions; it is made once and kept in the cache.

    Packages that a side does not name are those of this environment, found through a `.pth` file: torch is
    not downloaded again. Raises UserError with pip's last line if they can't be installed.
    """
    shared = site.getsitepackages()
    key = hashlib.sha256(repr((sorted(side.items()), shared, sys.version)).encode()).hexdigest()[:8]
    folder = cache_folder() / "canary" / f"{'-'.join(f'{n}-{v}' for n, v in sorted(side.items()))}-{key}"
    if not folder.is_dir():
        with whole_folder(folder) as unfinished:
            venv.EnvBuilder(with_pip=False, symlinks=True).create(unfinished)
            packages = next(unfinished.glob("lib/python3*/site-packages"))
            lines = [f"import site; site.addsitedir({path!r})\n" for path in shared]
            (packages / SHARED).write_text("".join(lines), encoding="utf-8")
            _install(unfinished / "bin" / "python", side)
    return folder / "bin" / "python"


def _install(python: Path, side: dict[str, str]) -> None:
    wanted = [f"{name}=={version}" for name, version in side.items()]
    if "torch" not in side:  # a resolver must not replace the build for this machine by another one
        wanted.append(f"torch=={metadata.version('torch')}")
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *quiet, *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["no message"]
        reason = visible(lines[-1].removeprefix("ERROR: "))
        raise UserError(f"canary: cannot install {' '.join(wanted)}: {reason[:300]}")


def releases(package: str) -> list[str]:
    """Return the final releases of a package that pip can install here, oldest first.

    Raises UserError if pip can't list them.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", package, "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.search(r"^Available versions: (.+)$", done.stdout, flags=re.MULTILINE)
    if done.returncode or match is None:
        raise UserError(f"canary: pip can't list the releases of {package}; is there a connection?")
    return [version.strip() for version in reversed(match[1].split(","))]
