"""`bakeoff bench data`: rows per second and peak memory of reading, cleaning, comparing and splitting."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.synthetic import planted
from toolkit import config, runtime
from toolkit.data import corpus
from toolkit.data.duplicates.minhash import Forest, band_keys, candidates, near_pairs
from toolkit.data.duplicates.shingles import Shingler
from toolkit.data.prepare import prepare
from toolkit.errors import UserError, last_reason
from toolkit.runtime import child_environment, machine, module_command
from toolkit.specs import DataSpec

COMPARED_ROWS = 5_000
"""Documents on which comparing alone is timed, ours and the baseline's; a time a document is the same for any
number."""


def bench(rows: int = 50_000, seed: int = 0) -> dict[str, Any]:
    """Measure the data module on a generated CSV of so many rows.

    ``ratio`` is about finding near-copies alone, in documents a processor-second: ours (sketched, banded and
    verified) over datasketch's MinHash and MinHashLSH (sketched and banded) on the same documents. All else
    is about the whole way, prepared in a process of its own so that the peak memory is its own.
    """
    with tempfile.TemporaryDirectory(prefix="bakeoff-bench-") as name:
        folder = Path(name)
        truth = planted.write(folder / "recipes.csv", rows, seed)
        command = module_command("experiments.bench.data", str(folder), str(rows))
        environment = child_environment()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise UserError(f"bench data failed: {last_reason(done.stderr)}")
        measured = json.loads(done.stdout)
        documents = corpus.load(folder / "cache" / measured.pop("corpus"))
        measured |= quality(truth, documents.clusters)
        texts = documents.texts
        bodies = [corpus.compared(texts.bodies(n)) for n in range(min(COMPARED_ROWS, len(texts)))]
    ours, baseline = (len(bodies) / _processor_seconds(find, bodies) for find in (_ours, _datasketch))
    return {
        "name": "data",
        "ratio": round(ours / baseline, 2),
        "baseline": round(baseline, 1),
        "ours": round(ours, 1),
        "unit": "documents compared a processor-second",
        "machine": machine(),
        "rows": rows,
        **measured,
    }


def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Prepare the generated CSV once and say how long each stage took. Run in a fresh process."""
    dataset = config.dataset(
        {"name": "planted", "files": [str(folder / "recipes.csv")], "where": {"source": "Gathered"}}
    )
    sizes = DataSpec(train=rows // 2, validation=min(500, rows // 50), test=min(500, rows // 50))
    start = time.perf_counter()
    prepared = prepare(dataset, sizes, folder / "cache")
    seconds, processor = time.perf_counter() - start, time.process_time()
    start = time.perf_counter()
    prepare(dataset, sizes, folder / "cache")
    again = time.perf_counter() - start
    report = prepared.report
    return {
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "again_seconds": round(again, 2),
        "rows_per_second": round(rows / seconds, 1),
        "peak_memory_bytes": runtime.peak_memory_bytes(),
        "accepted": report.rows.accepted,
        "refused": {reason: refusal.count for reason, refusal in report.refused.items()},
        "sizes": report.sizes.model_dump(),
        "leak_highest": report.leak["test"].highest,
        "corpus": next((folder / "cache").glob("corpus-*/")).name,
    }


def quality(truth: planted.Truth, clusters: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    """Recall of the planted pairs, and the share of documents that were merged with an unrelated one."""
    if len(clusters) != len(truth.families):
        raise UserError(f"bench data: {len(truth.families)} good rows were written, {len(clusters)} accepted")
    found = sum(bool(clusters[one] == clusters[other]) for one, other in truth.near)
    families: dict[int, Counter[int]] = defaultdict(Counter)
    for cluster, family in zip(clusters.tolist(), truth.families, strict=True):
        families[cluster][family] += 1
    merged = sum(sum(counts.values()) - max(counts.values()) for counts in families.values())
    return {
        "planted_pairs": len(truth.near),
        "recall": round(found / len(truth.near), 5),
        "false_merges": merged,
        "false_merge_share": round(merged / len(clusters), 6),
        "planted_broken": truth.broken,
    }


def _processor_seconds(find: Callable[[list[str]], object], bodies: list[str]) -> float:
    start = time.process_time()
    find(bodies)
    return time.process_time() - start


def _ours(bodies: list[str]) -> object:
    forest = Forest(len(bodies))
    keys = band_keys(Shingler()(bodies), 0.8)
    return list(near_pairs(candidates(keys), bodies, 0.8, forest))


def _datasketch(bodies: list[str]) -> object:
    try:
        from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped]
    except ImportError:
        raise UserError(
            "bench data: the baseline needs datasketch. Run `pip install datasketch` in bakeoff's environment"
        ) from None
    index = MinHashLSH(threshold=0.8, num_perm=128)
    found = []
    for number, body in enumerate(bodies):
        sketch = MinHash(num_perm=128)
        words = re.findall(r"\w+", body.lower())
        sketch.update_batch([" ".join(triple).encode() for triple in planted.triples(words)])
        found += index.query(sketch)
        index.insert(number, sketch)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))
