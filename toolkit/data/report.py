"""The data report of a finished split, and the error for one that could not be made."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toolkit.data.cleaning import EXAMPLES
from toolkit.data.conversations.template import rendering
from toolkit.data.corpus import Corpus
from toolkit.data.duplicates.leaks import leak_report
from toolkit.data.format import plain_text
from toolkit.data.sources.open import Source
from toolkit.data.split import FILL_ORDER, Hashes, Indices, Split
from toolkit.data.texts import AllBodies, Texts
from toolkit.events import Listener, ignore
from toolkit.records.data import (
    SPLITS,
    DataReport,
    Duplicates,
    Lengths,
    Refusal,
    RowCounts,
    Sizes,
    SourceReport,
    SplitCounts,
)
from toolkit.specs import AnyFormat, DatasetSpec, DataSpec

SAMPLES = 3
_LENGTH_STEP = 200


def fingerprint(texts: Iterable[str]) -> str:
    """Return the first 16 hex digits of a SHA-256 over the texts in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\x00")
    return digest.hexdigest()[:16]


def report(
    dataset: DatasetSpec,
    data: DataSpec,
    sources: Sequence[Source],
    documents: Corpus,
    used: Indices,
    division: Split,
    progress: Listener = ignore,
) -> DataReport:
    """Return the data report of a finished split; ``used`` are the documents that were divided."""
    chosen = {split: used[division.members[split]] for split in FILL_ORDER}
    texts = {split: documents.texts.choose(chosen[split]) for split in FILL_ORDER}
    bodies = {split: AllBodies(texts[split]) for split in FILL_ORDER}
    held_out = {split: bodies[split] for split in ("test", "validation")}
    each = [
        SourceReport(
            **counts,
            license=source.dataset.license,
            format=source.dataset.format.name,
            sizes=SplitCounts(
                **{split: int((documents.sources[chosen[split]] == number).sum()) for split in FILL_ORDER}
            ),
        )
        for number, (source, counts) in enumerate(zip(sources, documents.counts["sources"], strict=True))
    ]
    return DataReport(
        dataset=dataset.name,
        format=dataset.format.name,
        license=dataset.license,
        **totals(documents),
        duplicates=Duplicates(**documents.counts["duplicates"], policy=data.duplicates),
        documents=len(used),
        sizes=Sizes(
            **{split: len(texts[split]) for split in FILL_ORDER},
            excluded=division.excluded,
            unused=division.unused,
        ),
        prompts=SplitCounts(**{split: len({one[0] for one in bodies[split]}) for split in FILL_ORDER}),
        clusters=_clusters(sources, {split: documents.groups[chosen[split]] for split in FILL_ORDER}),
        sources=tuple(each),
        characters={split: _lengths(texts[split], dataset.format) for split in FILL_ORDER},
        fingerprints={
            split: fingerprint([*([] if split == "test" else rendering(dataset.format)), *texts[split]])
            for split in FILL_ORDER
        },
        leak=leak_report(bodies["train"], held_out, progress),
        samples=tuple(texts["train"][:SAMPLES]),
    )


def _clusters(sources: Sequence[Source], groups: Mapping[str, Hashes]) -> SplitCounts | None:
    """Count distinct values of the cluster columns; a document without a value is one of its own."""
    if not any(source.dataset.cluster for source in sources):
        return None
    counts = {split: len(set(of[of > 0].tolist())) + int((of == 0).sum()) for split, of in groups.items()}
    return SplitCounts(**counts)


def totals(documents: Corpus) -> dict[str, Any]:
    """Return `rows`, `refused` and `changed` of the data report, over all sources."""
    rows: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    refused: dict[str, Refusal] = {}
    for source in documents.counts["sources"]:
        rows.update(source["rows"])
        changed.update(source["changed"])
        for reason, counts in source["refused"].items():
            before = refused.get(reason, Refusal(count=0, examples=()))
            examples = (*before.examples, *counts["examples"])[:EXAMPLES]
            refused[reason] = Refusal(count=before.count + counts["count"], examples=examples)
    return {"rows": RowCounts(**rows), "refused": refused, "changed": dict(changed)}


def too_few(
    dataset: DatasetSpec,
    data: DataSpec,
    sources: Sequence[Source],
    documents: Corpus,
    used: int,
    division: Split,
) -> str:
    """Return one line: how many documents there are, where the others went, and which sizes are possible."""
    counts = totals(documents)
    rows: RowCounts = counts["rows"]
    copies = rows.accepted - used
    lost = [f"{refusal.count:,} refused: {reason}" for reason, refusal in counts["refused"].items()]
    lost += [f"{rows.filtered_out:,} filtered out"] if rows.filtered_out else []
    lost += [f"{copies:,} near-copies of another (data.near_duplicate, data.duplicates)"] if copies else []
    lost += [f"{division.excluded:,} excluded beside a held-out title"] if division.excluded else []
    detail = f" ({'; '.join(lost)})" if lost else ""
    wanted = ", ".join(f"{split}={getattr(data, split)}" for split in SPLITS)
    wanted += f", further_test={data.further_test}" if data.further_test else ""
    possible = ", ".join(f"{split}={len(division.members[split])}" for split in SPLITS)
    short = [
        f"{sources[number].dataset.name} lacks {count:,} for {split}"
        for split, lacks in division.missing.items()
        for number, count in lacks.items()
    ]
    which = f": {'; '.join(short)}" if len(sources) > 1 else ""
    return (
        f"data set '{dataset.name}' has {used:,} documents in {rows.total:,} rows{detail}, "
        f"too few for {wanted}{which}. There is enough for {possible}"
    )


def _lengths(texts: Texts, form: AnyFormat) -> Lengths:
    lengths = sorted(len(plain_text(text, form)) for text in texts)
    counts = Counter(length // _LENGTH_STEP for length in lengths)
    return Lengths(
        mean=round(sum(lengths) / len(lengths), 1) if lengths else None,
        median=lengths[len(lengths) // 2] if lengths else None,
        longest=lengths[-1] if lengths else None,
        step=_LENGTH_STEP,
        histogram=tuple(counts[number] for number in range(max(counts, default=-1) + 1)),
    )
