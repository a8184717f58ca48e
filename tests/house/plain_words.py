"""Find phrases that docs, comments, messages and names should not use: `python tests/house/plain_words.py`.

Exit code 1 and one line per finding; each line names the plain wording. Run by `make lint`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PLACES = (
    "bakeoff",
    "toolkit",
    "eval",
    "figures",
    "experiments",
    "tests",
    "docs",
    ".ci",
    "README.md",
    "CONTRIBUTING.md",
    "Makefile",
    "pyproject.toml",
)
KINDS = {".py", ".md", ".yaml", ".yml", ".toml", ".html", ".ipynb", ".css", ".js", ""}
NOT_CHECKED = {Path(__file__).name, "test_plain_words.py"}

PER = (
    "step|row|metric|run|line|file|recipe|text|method|condition|document|seed|section|bar|token|prompt|figure"
)
PHRASES = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bof no account\b": "negligible",
    r"\bfor want of\b": "for lack of, or: without",
    r"\bin vain\b": "without success",
    r"\bletter by letter\b": "exact",
    r"\bdealt out\b": "assigned",
    r"\breckon(s|ed|ing)?\b": "rely on, or: expect",
    r"\bwhere there (is|are|was|were) (none|no|one|any|some|several|more)\b": "if there is none",
    r"\bwhere (it|they) (has|have) (it|one|them)\b": "if supported",
    r"\bwhere the (hardware|machine) has\b": "if the hardware supports it",
    r"\b(is|are) told (apart )?(by|with|before|here|too|and)\b": "reported, or: distinguished",
    r"\bso (many|few) (at most|runs|texts|words|documents|bars|more)\b": "n, or: a number",
    rf"\b((one|a) )?(line|row|entry|bar|panel|column|file)s? an? ({PER})\b": "one … per …",
    r"\b(tokens|rows|operations|lines) a second\b": "per second",
    r"\bspell(ed|t|s)? (once|in)\b": "defined once",
    r"\bheld back\b": "excluded",
    r"\bof its own accord\b": "by itself",
    r"\bis had\b|\bto be had\b": "is available",
    r"\bworth a look\b": "useful",
    r"\bfound out by trying\b": "tested",
    r"\bmarks? its own homework\b": "scores itself",
    r"\bsays so\b": "reports it",
    r"\bbears (many|more)\b": "handles",
    r"\bgoes on (from|with|without|where)\b": "continues",
    r"\bis asked for\b": "is requested",
    r"\bwas asked for\b": "was requested",
    r"\bwhat (was|is|were) asked\b": "what was requested",
    r"\bby (the|its) word\b": "according to",
    r"\bweights that move\b": "trainable weights",
    r"\blanes?\b(?! width)": "offsets",
}


class Finding(NamedTuple):
    """A phrase in a line of a file."""

    path: Path
    line: int
    phrase: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: '{self.phrase}'; write: {self.instead}"


def files(places: Iterable[str] = PLACES) -> Iterator[Path]:
    """Yield every text file in the places, relative to the repository."""
    for place in places:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in KINDS and file.name not in NOT_CHECKED:
                yield file


def findings(text: str, path: Path) -> list[Finding]:
    """Return every phrase that is to be replaced, in the order of the text. Phrases may span line ends."""
    flat = re.sub(r"\s", " ", text)
    result = []
    for pattern, instead in PHRASES.items():
        for match in re.finditer(pattern.replace(" ", r"[\s#]+"), flat, flags=re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            result.append(Finding(path, line, " ".join(match.group().split()), instead))
    return sorted(result, key=lambda one: one.line)


def check(places: Iterable[str] = PLACES) -> list[Finding]:
    """Return the findings of all files in the places."""
    return [
        finding
        for file in files(places)
        for finding in findings(file.read_text(encoding="utf-8"), file.relative_to(ROOT))
    ]


if __name__ == "__main__":
    all_findings = check(sys.argv[1:] or PLACES)
    for finding in all_findings:
        print(finding)
    sys.exit(bool(all_findings))
