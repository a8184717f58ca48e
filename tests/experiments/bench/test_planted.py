"""The generated CSV holds what it says, and the data module finds what was planted in it."""

import csv
from collections import Counter, defaultdict
from pathlib import Path

from experiments.bench.synthetic import planted
from toolkit import config
from toolkit.data import corpus
from toolkit.data.prepare import prepare
from toolkit.specs import DataSpec

ROWS = 4_000


def test_planted_copies_are_found_and_nothing_else_is_merged(tmp_path: Path) -> None:
    """Of about 200 planted pairs (similarity from 0.9) at least 99 %; no two families in one cluster."""
    truth = planted.write(tmp_path / "a.csv", ROWS)
    assert len(truth.families) + truth.broken == ROWS
    assert len(truth.near) > 100
    dataset = config.dataset(
        {"name": "planted", "files": [str(tmp_path / "a.csv")], "where": {"source": "Gathered"}}
    )
    done = prepare(dataset, DataSpec(train=2_000, validation=50, test=50), tmp_path / "cache")
    refused = sum(found.count for found in done.report.refused.values())
    assert refused == truth.broken > 0
    clusters = corpus.load(next((tmp_path / "cache").glob("corpus-*/"))).clusters
    found = sum(clusters[one] == clusters[other] for one, other in truth.near)
    assert found >= 0.99 * len(truth.near)
    families: dict[int, Counter[int]] = defaultdict(Counter)
    for cluster, family in zip(clusters.tolist(), truth.families, strict=True):
        families[cluster][family] += 1
    assert max(len(members) for members in families.values()) == 1


def test_the_csv_has_the_shape_of_recipe_nlg(tmp_path: Path) -> None:
    """Seven columns, titles repeated as often as in RecipeNLG (41 % of its rows), the same file twice."""
    for name in ("a.csv", "b.csv"):
        planted.write(tmp_path / name, 1_000)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["", "title", "ingredients", "directions", "link", "source", "NER"]
    repeated = len(rows) - len({row["title"] for row in rows})
    assert 0.3 < repeated / len(rows) < 0.55
