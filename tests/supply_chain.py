"""`make audit`: known vulnerabilities of what `make setup` installs, by pip-audit. Not a test.

It needs a connection. pip-audit gets an environment of its own, `.venv/audit`, and reads the locked versions
with their hashes. torch is not among them, see requirements-locked.txt.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[1]
AUDITOR = "pip-audit==2.10.1"
LISTS = "https://pypi.org/pypi/pip/25.0/json"
"""One of the addresses that pip-audit asks: the advisories of one version of one package. Mirrors lack it."""


def main() -> int:
    """Return pip-audit's exit code; 0 if there is no connection to ask."""
    try:
        urllib.request.urlopen(LISTS, timeout=10).close()  # noqa: S310 - a constant address
    except (urllib.error.URLError, OSError) as error:
        print(f"make audit: skipped: the list of vulnerabilities can't be reached ({error})")
        return 0
    folder = HOME / ".venv" / "audit"
    if not (folder / "bin" / "pip-audit").is_file():
        venv.create(folder, with_pip=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", AUDITOR]
        subprocess.run(install, check=True)
    locked = ["--requirement", str(HOME / "requirements-locked.txt"), "--require-hashes", "--disable-pip"]
    command = [str(folder / "bin" / "pip-audit"), *locked, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        print(done.stderr, file=sys.stderr)
        return done.returncode or 1
    return report(json.loads(done.stdout)["dependencies"])


def report(packages: list[dict[str, Any]]) -> int:
    """Print each known vulnerability and how many packages have no answer; return 1 if there is either."""
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    found = 0
    for package in packages:
        for one in package.get("vulns", ()):
            found += 1
            fixed = ", ".join(one["fix_versions"]) or "none yet"
            print(f"{package['name']} {package['version']}: {one['id']}, fixed in: {fixed}")
    counts = f"{found} known vulnerabilities, {len(unknown)} without an answer"
    print(f"make audit: {len(packages)} packages, {counts}")
    return 1 if found or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
