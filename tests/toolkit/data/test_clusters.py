"""A data set's own clusters: read from a column, counted in the report, without effect on the splits."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from toolkit import config
from toolkit.data.prepare import Prepared, _clusters_of, prepare
from toolkit.errors import UserError
from toolkit.specs import DatasetSpec, DataSpec, EvalSpec
from toolkit.specs.evaluation import General

SIZES = DataSpec(train=1, validation=1, test=10)


def table(path: Path, topics: list[str]) -> Path:
    """A CSV of unlike recipes, each of the topic in its place."""
    draw = random.Random(3)
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(("title", "ingredients", "directions", "topic"))
        for number, topic in enumerate(topics):
            words = [f"w{draw.randrange(10**6)}" for _ in range(40)]
            out.writerow((f"Dish {number}", ", ".join(words[:5]), " ".join(words[5:]), topic))
    return path


def prepared(path: Path, **more: str) -> Prepared:
    """The file's twelve documents: one to train on, one for validation, ten for the test."""
    return prepare(config.dataset({"name": "mine", "files": [str(path)], **more}), SIZES)


def test_ten_documents_of_three_topics_are_three_clusters(tmp_path: Path) -> None:
    """Twelve rows, four of each topic: whichever two are not tested, the other ten have all three topics."""
    path = table(tmp_path / "recipes.csv", ["soup", "bread", "  cake "] * 4)
    done = prepared(path, cluster="topic")
    assert len(done.clusters) == 10
    assert len(set(done.clusters.values())) == 3
    assert done.report.clusters is not None
    assert done.report.clusters.model_dump() == {"train": 1, "validation": 1, "test": 3}
    plain = prepared(path)
    assert (plain.clusters, plain.report.clusters) == ({}, None)
    assert plain.fingerprints == done.fingerprints


def test_a_cluster_that_is_no_utf8_is_a_refused_row(tmp_path: Path) -> None:
    """A Latin-1 cell in the cluster's column alone: two rows are counted as refused, and ten are left."""
    path = table(tmp_path / "recipes.csv", ["soup", "bread"] * 6 + ["Caf#", "Caf#"])
    path.write_bytes(path.read_bytes().replace(b"Caf#", "Caf\u00e9".encode("latin-1")))
    done = prepared(path, cluster="topic")
    assert done.report.refused["invalid UTF-8"].count == 2
    assert done.report.documents == 12


def test_a_document_without_a_value_is_one_of_its_own(tmp_path: Path) -> None:
    """Eight rows of one topic and four of none: one cluster, and one more for each tested one of the four."""
    done = prepared(table(tmp_path / "recipes.csv", ["soup", "soup", " "] * 4), cluster="topic")
    without = sum(int(text.split("\n")[0].split()[-1]) % 3 == 2 for text in done.test)
    assert without >= 2
    assert len(set(done.clusters.values())) == 1 + without
    assert done.report.clusters is not None
    assert done.report.clusters.test == 1 + without
    assert prepared(table(tmp_path / "none.csv", [""] * 12), cluster="topic").clusters == {}


def test_topics_that_share_a_title_are_one_cluster() -> None:
    """Topics 7, 7, 8, 8, none and titles 1, 2, 2, 3, 4: the second title joins the topics; two clusters."""
    hashes = {"groups": [7, 7, 8, 8, 0], "titles": [1, 2, 2, 3, 4], "ids": [10, 11, 12, 13, 14]}
    documents = SimpleNamespace(**{name: np.array(v, dtype=np.uint64) for name, v in hashes.items()})
    labels = _clusters_of(documents, np.arange(5), np.empty(0, np.uint64))  # type: ignore[arg-type]  # stand-ins for texts
    assert list(labels) == [f"{number:016x}" for number in hashes["ids"]]
    assert [label.lstrip("0") for label in labels.values()] == ["1", "1", "1", "1", "4"]


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    """The file has no column `source`."""
    with pytest.raises(UserError, match="source"):
        prepared(table(tmp_path / "recipes.csv", ["soup"] * 12), cluster="source")


def test_a_data_set_without_clusters_is_what_it_was_before() -> None:
    """No key in its dump, and so none in the digest of anything that holds it."""
    plain = config.dataset("wikibooks")
    assert "cluster" not in plain.model_dump()
    general = EvalSpec(general=General(dataset=plain)).model_dump(mode="json")["general"]
    assert "cluster" not in general["dataset"]
    named = plain.model_copy(update={"cluster": "topic"})
    assert DatasetSpec.model_validate(named.model_dump()) == named
    assert named.digest != plain.digest
