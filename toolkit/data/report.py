"""What is said of a prepared data set: where every row went, how the parts compare, and what went wrong."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from toolkit.data.corpus import Corpus
from toolkit.data.duplicates.leaks import leak_report
from toolkit.data.duplicates.shingles import Indices
from toolkit.data.sources.open import Source
from toolkit.data.split import SPLITS, Split
from toolkit.data.texts import choose
from toolkit.specs import DatasetSpec, DataSpec

SAMPLES = 3
EXAMPLES = 3
_LENGTH_STEP = 200


def fingerprint(texts: Iterable[str]) -> str:
    """First 16 hex digits of a SHA-256 over the texts in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\x00")
    return digest.hexdigest()[:16]


def report(
    sources: Sequence[Source], data: DataSpec, documents: Corpus, kept: Indices, done: Split
) -> dict[str, Any]:
    """The data report of a finished split, JSON-able."""
    chosen = {part: kept[done.parts[part]] for part in SPLITS}
    texts = {part: choose(documents.texts, chosen[part]) for part in SPLITS}
    forms = list({source.dataset.format.name: source.dataset.format for source in sources}.values())
    return {
        **totals(documents),
        "duplicates": {**documents.counts["duplicates"], "policy": data.duplicates},
        "documents": len(kept),
        "sizes": {
            **{part: len(texts[part]) for part in SPLITS},
            "held_back": done.held_back,
            "unused": done.unused,
        },
        "sources": [
            {
                **counts,
                "license": source.dataset.license,
                "format": source.dataset.format.name,
                "sizes": {part: int((documents.sources[chosen[part]] == n).sum()) for part in SPLITS},
            }
            for n, (source, counts) in enumerate(zip(sources, documents.counts["sources"], strict=True))
        ],
        "characters": {part: _lengths(texts[part]) for part in SPLITS},
        "fingerprints": {part: fingerprint(texts[part]) for part in SPLITS},
        "leak": leak_report(texts["train"], {part: texts[part] for part in ("test", "validation")}, forms),
        "samples": list(texts["train"][:SAMPLES]),
    }


def totals(documents: Corpus) -> dict[str, Any]:
    """Rows, refusals and mendings over all sources."""
    rows: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    refused: dict[str, dict[str, Any]] = {}
    for source in documents.counts["sources"]:
        rows.update(source["rows"])
        mended.update(source["mended"])
        for reason, found in source["refused"].items():
            known = refused.setdefault(reason, {"count": 0, "examples": []})
            known["count"] += found["count"]
            known["examples"] = [*known["examples"], *found["examples"]][:EXAMPLES]
    return {"rows": dict(rows), "refused": refused, "mended": dict(mended)}


def too_few(
    dataset: DatasetSpec, data: DataSpec, sources: Sequence[Source], documents: Corpus, kept: int, done: Split
) -> str:
    """One line: how many documents there are, where the others went, and what could be asked for."""
    found = totals(documents)
    rows, copies = found["rows"], found["rows"]["accepted"] - kept
    lost = [f"{counts['count']:,} refused: {reason}" for reason, counts in found["refused"].items()]
    lost += [f"{rows['filtered_out']:,} filtered out"] if rows["filtered_out"] else []
    lost += [f"{copies:,} near-copies of another"] if copies else []
    lost += [f"{done.held_back:,} held back beside a held-out title"] if done.held_back else []
    detail = f" ({'; '.join(lost)})" if lost else ""
    asked = ", ".join(f"{part}={getattr(data, part)}" for part in reversed(SPLITS))
    got = ", ".join(f"{part}={len(done.parts[part])}" for part in reversed(SPLITS))
    short = [
        f"{sources[number].dataset.name} lacks {count:,} for {part}"
        for part, lacks in done.missing.items()
        for number, count in lacks.items()
    ]
    which = f": {'; '.join(short)}" if len(sources) > 1 else ""
    return (
        f"data set '{dataset.name}' has {kept:,} documents in {rows['read']:,} rows{detail}, "
        f"too few for {asked}{which}. There is enough for {got}"
    )


def _lengths(texts: Sequence[str]) -> dict[str, Any]:
    lengths = sorted(len(text) for text in texts)
    counts = Counter(length // _LENGTH_STEP for length in lengths)
    return {
        "mean": round(sum(lengths) / len(lengths), 1) if lengths else None,
        "median": lengths[len(lengths) // 2] if lengths else None,
        "longest": lengths[-1] if lengths else None,
        "step": _LENGTH_STEP,
        "histogram": [counts[bin_] for bin_ in range(max(counts, default=-1) + 1)],
    }
