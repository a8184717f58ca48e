"""What an exported study is: a zip file of records, listed with their hashes, and nothing else."""

from __future__ import annotations

import hashlib
import re

from toolkit.records import Record

FORMAT = "bakeoff-export"
VERSION = 2
"""1: the first release, which also packed the drawn report; its report files are left out on import."""
READABLE = (1, VERSION)
MANIFEST = "manifest.json"
OF_A_RUN = re.compile(r"spec\.yaml|run\.json|steps\.jsonl|eval-[0-9a-f]+\.jsonl?|statistics-[0-9a-f]+\.jsonl")
OF_RESULTS = ("comparisons.json", "failures.jsonl", "study.yaml")


class Manifest(Record):
    """`manifest.json`: the first entry of an archive."""

    format: str
    version: int
    study: str
    files: dict[str, str]
    """Path under the root folder -> SHA-256 of its content, for every other entry."""


def sha256(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
