"""The stopping rule replayed: on statistics worked by hand, on made-up records, and in simulated studies."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.analysis.conclude import conclude
from experiments.analysis.statistics import Statistics
from experiments.bench.calibration.growing import bench, growing, replay
from experiments.bench.synthetic.finished import finish
from experiments.cli import main
from experiments.design import study as studies
from experiments.design.planning.looks import Size, looks_at
from experiments.design.study_state import StudyState
from tests.experiments.small import asked
from toolkit.errors import UserError
from toolkit.records import Condition

METHODS = "methods={full: 1e-4, lora-r16: 1e-4}"


def statistics(seeds, shift):
    """Two methods on 20 documents of 100 bytes; nats of LoRA are higher by ``shift``, give or take 5 %."""
    draw = np.random.default_rng(0)
    made = Statistics()
    for method, more in (("full", 0.0), ("lora-r16", shift)):
        nats = 60 + more + 3 * draw.normal(size=(seeds, 20))
        made[Condition("b", "wikibooks"), method] = {
            seed: {"bits_per_byte": [(value, 100.0) for value in row]}
            for seed, row in enumerate(nats.tolist())
        }
    return made


def test_a_clear_difference_stops_at_the_first_look_and_none_goes_on():
    """30 of 60 nats more is worse at 3 of 5 seeds; 1.4 of 60, 3.3 errors of 0.42, is not at 5."""
    study = studies.load("quickstart", [METHODS, "metrics=[bits_per_byte]", "seeds=[0,1,2,3,4]"])
    planned = looks_at([Size(3, 48), Size(5, 48)])
    clear = replay(study, statistics(5, 30.0), planned)
    assert (clear.taken, clear.state) == (1, "decided")
    assert [(one.verdict, one.seeds) for one in clear.comparisons] == [("worse", 3)]
    alone = replay(study, statistics(5, 30.0), looks_at([Size(3, 48)])).comparisons[0]  # all of the 5 %
    assert clear.comparisons[0].low < alone.low < alone.high < clear.comparisons[0].high
    near = replay(study, statistics(5, 1.4), planned)
    assert (near.taken, near.state) == (2, "exhausted")
    assert near.comparisons[0].seeds == 5


def test_a_look_sees_only_its_documents():
    """Planned at 10 and then 20 documents of 3 seeds: the first look compares 10."""
    study = studies.load("quickstart", [METHODS, "metrics=[bits_per_byte]", "seeds=[0,1,2]", "data.test=20"])
    done = replay(study, statistics(3, 30.0), looks_at([Size(3, 10), Size(3, 20)]))
    assert [(one.verdict, one.documents) for one in done.comparisons] == [("worse", 10)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_gpt2):
    """A root with the made-up records of five seeds of two methods, LoRA with twice the nats."""
    root = tmp_path_factory.mktemp("finished")
    wanted = asked(tiny_gpt2, "made-up", METHODS, "metrics=[bits_per_byte]", "seeds=[0,1,2,3,4]")
    study_state = StudyState(studies.load("quickstart", wanted), root).prepare()
    cells = finish(study_state)
    for cell in cells:
        if cell.method == "lora-r16":
            (path,) = study_state.root.run(cell.run.run_id).path.glob("statistics-*.jsonl")
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            for row in rows:
                row["settings"][0]["metrics"]["bits_per_byte"][0] *= 2
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = study_state.root.results("made-up")
    results.path.mkdir(parents=True)
    results.study.write_text(studies.written_out(study_state.study))
    conclude(study_state, cells, {})
    return root


def test_a_finished_study_is_replayed_from_its_records(finished):
    """Five seeds of two methods: 10 runs, of which 6 (3 seeds) decide as all do; 4 runs of training saved."""
    found = bench("made-up", finished)
    assert (found["baseline"], found["ours"], found["ratio"]) == (10, 6, 1.67)
    assert (found["looks"], found["seeds_used"], found["state"]) == ([3, 5], 3, "decided")
    assert (found["comparisons"], found["same_verdict"], found["differences"]) == (1, 1, [])
    assert 4 * 70 < found["training_seconds_saved"] < 4 * 90  # about 80 s each, made up


def test_the_command_prints_the_replay_and_refuses_a_study_of_three_seeds(finished, capsys):
    """One JSON object; three seeds have one look, so nothing can be saved."""
    with pytest.raises(SystemExit) as ended:
        main(["bench", "until", "made-up", "--root", str(finished), "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["study"] == "made-up"
    path = finished / "results" / "made-up" / "study.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("- 3\n- 4\n", ""))
    with pytest.raises(UserError, match="has 3 seeds, and the first look is at 3"):
        bench("made-up", finished)
    path.write_text(whole)


def test_growing_studies_without_a_difference_are_rarely_called_and_stop_early():
    """30 studies, margin out of reach: at most 5 % called, give or take 12 points; most stop as futile."""
    row = growing(1, [Size(3, 48), Size(5, 48), Size(8, 48)], 0.0, 0.5, 30)
    assert row.wrong <= 0.17
    assert row.covered == 1 - row.wrong
    assert row.futile > 0.3
    assert row.runs < 0.9
