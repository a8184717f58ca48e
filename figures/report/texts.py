"""Generations as the report shows them: sections and failures marked, and the documents arms disagree on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from figures.tidy.frames import rows
from figures.tidy.load import StudyTables
from toolkit.errors import visible

DISAGREEMENTS = 12
"""Documents that are shown where arms disagree."""
LONGEST = 4000
"""Characters of one text that are shown; the records have all of them."""
MARKER = re.compile(r"^(?:[A-Z][A-Z ]{1,30}:|\[[A-Z]{2,12}\])", re.MULTILINE)
"""What a section opens or a document ends with: `RECIPE:`, `[END]`, at the start of a line."""
KEYS = ["method", "run_id", "document_id", "prompt_mode", "decoding"]


def section_markers(references: Iterable[str]) -> set[str]:
    """Return the markers that at least nine of ten references have at the start of a line."""
    texts = list(dict.fromkeys(references))
    counts: dict[str, int] = {}
    for text in texts:
        for marker in set(MARKER.findall(text)):
            counts[marker] = counts.get(marker, 0) + 1
    return {marker for marker, count in counts.items() if count >= 0.9 * len(texts)}


def marked(text: str, markers: set[str], wrong: Mapping[str, str] | None = None) -> Markup:
    """Return a text as HTML: escaped, its section markers and the passages that a failed check quotes marked.

    A check quotes a passage in “ ”. A text of more than `LONGEST` characters is cut, and marked as cut;
    control characters are shown.
    """
    text, checks = visible(text), [visible(str(words)) for words in (wrong or {}).values()]
    quoted = [q for words in checks for q in re.findall("“([^“”]{3,})”", words)]
    patterns = [rf"^{re.escape(marker)}" for marker in sorted(markers, key=len, reverse=True)]
    patterns += [re.escape(passage.rstrip("…")) for passage in quoted]
    shown, out, at = text[:LONGEST], [], 0
    for match in re.finditer("|".join(patterns), shown, re.MULTILINE) if patterns else ():
        kind = "section" if match.group() in markers else "fault"
        if match.group():
            out += [
                escape(shown[at : match.start()]),
                Markup('<mark class="{}">{}</mark>').format(kind, match.group()),
            ]
            at = match.end()
    out.append(escape(shown[at:]))
    if len(text) > LONGEST:
        out.append(
            Markup('<i class="cut"> … {} more characters are in the records</i>').format(len(text) - LONGEST)
        )
    return Markup("").join(out)


def headline_texts(part: StudyTables) -> pd.DataFrame:
    """Return the generations of the setting that verdicts are about, with `wrong`: check -> words for it."""
    texts = part.generations
    first = texts[["prompt_mode", "decoding"]].head(1)
    texts = texts.merge(first, on=["prompt_mode", "decoding"])
    failing = part.failing[[*KEYS, "classes"]].drop_duplicates(KEYS)
    joined = texts.merge(failing, on=KEYS, how="left")
    named = [
        {name.replace("_", " "): words for name, words in classes.items()}
        if isinstance(classes, dict)
        else {}
        for classes in joined["classes"]
    ]
    return joined.assign(wrong=pd.Series(named, index=joined.index, dtype=object)).drop(columns="classes")


def disagreements(part: StudyTables, panel: str) -> dict[str, Any]:
    """Return the documents on which one method's text passes all checks and another's fails, worst first.

    The largest difference in the number of failed checks comes first, then the order of the test part.
    """
    texts = headline_texts(part)
    documents = []
    for _, of_document in texts.groupby("document_id", sort=False):
        counts = [len(wrong) for wrong in of_document["wrong"]]
        if min(counts) == 0 < max(counts):
            first = of_document.iloc[0]
            documents.append(
                {
                    "title": first["title"],
                    "order": int(first["order"]),
                    "difference": max(counts),
                    "texts": sorted(rows(of_document), key=lambda row: len(row["wrong"])),
                }
            )
    documents.sort(key=lambda document: (-document["difference"], document["order"]))
    return {
        "panel": panel,
        "documents": documents[:DISAGREEMENTS],
        "all": len(documents),
        "markers": section_markers(texts["reference"]),
    }
