"""A study of two data sets: the untouched base is one run with two evaluations, and none stands for both."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from experiments.analysis.conclude import read
from experiments.analysis.verify import verify
from experiments.cli import main
from experiments.sharing.every_eval_ever import export_every_eval_ever
from figures.tidy.load import load
from tests.experiments.small import asked
from toolkit.records import EvaluationRecord
from toolkit.records.folders import Root

WORDS = [
    a + b for a in ("bar", "cel", "dor", "fen", "gal", "hop") for b in ("ley", "ery", "nip", "tle", "oon")
]


def recipes(path: Path) -> Path:
    """A file of 24 recipes, each of ten words drawn from thirty."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(24):
            one, two, *rest = draw.sample(WORDS, 10)
            row = {"title": f"{one} {two}", "ingredients": rest[:3], "directions": f"Mix {' '.join(rest)}."}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.mark.slow
def test_the_base_is_compared_on_each_data_set_with_its_own_evaluation(tiny_gpt2, tmp_path, capsys):
    """Base and full on two data sets: 3 runs, 4 evaluations; 2 x 3 comparisons, none refused."""
    own = recipes(tmp_path / "own.jsonl")
    two = [f"dataset=[wikibooks, {{name: own, files: ['{own}']}}]", "methods={full: [1e-3]}"]
    with pytest.raises(SystemExit) as ended:
        main(["run", "quickstart", *asked(tiny_gpt2, "two", *two), "--root", str(tmp_path)])
    assert ended.value.code == 0, capsys.readouterr().err
    conclusions = read(tmp_path, "two")
    names = [(cell.dataset, cell.method) for cell in conclusions.cells]
    assert sorted(names) == [(d, m) for d in ("own", "wikibooks") for m in ("base", "full")]
    assert len({cell.run_id for cell in conclusions.cells}) == 3
    assert len(conclusions.comparisons) == 6
    assert "refused" not in {comparison.verdict for comparison in conclusions.comparisons}
    parts = [finding for finding in conclusions.audit if finding.check == "test part"]
    assert [(finding.dataset, finding.status) for finding in parts] == [
        ("wikibooks", "ok"),
        ("own", "ok"),
    ]

    assert (tmp_path / "results" / "two" / "report" / "report.html").is_file()
    scores = load(tmp_path / "results" / "two", tmp_path).scores
    bits = scores[scores["metric"] == "bits_per_byte"].set_index(["dataset", "method"])["value"]
    for cell in conclusions.cells:
        path = Root(tmp_path).run(cell.run_id).evaluation(str(cell.eval_digest))
        stated = EvaluationRecord.read(path).metrics["bits_per_byte"].value
        assert bits[cell.dataset, cell.method] == stated
    assert bits["wikibooks", "base"] != bits["own", "base"]

    checked = verify(conclusions, tmp_path)
    assert (checked.runs, checked.evaluations, checked.verdicts, checked.problems) == (3, 4, 6, ())

    target = tmp_path / "two.jsonl"
    export_every_eval_ever(conclusions, tmp_path, target)
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    of_base = {line["evaluation_name"] for line in lines if line["metadata"]["method"] == "base"}
    assert {"wikibooks/bits_per_byte", "own/bits_per_byte"} <= of_base
