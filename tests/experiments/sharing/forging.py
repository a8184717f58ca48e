"""Archives with changed entries, for tests of what an import refuses."""

from __future__ import annotations

import hashlib
import json
import zipfile


def again(file, target, change):
    """The archive with its entries changed: ``change`` gets and gives a dictionary of name -> bytes."""
    with zipfile.ZipFile(file) as old:
        entries = change({name: old.read(name) for name in old.namelist()})
    with zipfile.ZipFile(target, "w") as new:
        for name, content in entries.items():
            new.writestr(name, content)
    return target


def listed(entries):
    """The entries with a manifest that agrees with them, as a forger would write it."""
    about = json.loads(entries["manifest.json"])
    about["files"] = {n: hashlib.sha256(c).hexdigest() for n, c in entries.items() if n != "manifest.json"}
    return {**entries, "manifest.json": json.dumps(about).encode()}
