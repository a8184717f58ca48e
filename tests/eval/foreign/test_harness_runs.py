"""lm-evaluation-harness's own command line on two models of ours, and its samples judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from eval.foreign import read
from eval.foreign.judge import judge
from experiments.cli import main
from toolkit.errors import UserError

pytestmark = pytest.mark.slow  # importing the harness takes half a minute on a busy machine
QUESTIONS = 24
FOODS = ("flour", "sugar", "butter", "eggs")
TASK = """\
task: foods
dataset_path: json
dataset_kwargs: {{data_files: '{file}'}}
test_split: train
output_type: multiple_choice
doc_to_text: "Add the {{{{food}}}} and stir. Question {{{{number}}}}:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{right}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""


def evaluated(model, tasks, output, limit=QUESTIONS):
    """The folder of results and samples that the command line wrote for a model."""
    arguments = ["--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--tasks", "foods"]
    arguments += [
        "--include_path",
        str(tasks),
        "--output_path",
        str(output),
        "--log_samples",
        "--device",
        "cpu",
    ]
    arguments += ["--batch_size", "8", "--limit", str(limit)]
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1")
    subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", *arguments],
        check=True,
        env={**os.environ, **offline, "OMP_NUM_THREADS": "1"},
        timeout=500,
    )
    (folder,) = output.iterdir()
    return folder


def test_the_harness_own_run_is_judged_with_its_numbers(tmp_path, tiny_gpt2, tiny_llama, capsys):
    """24 questions, two random models: our means are the harness's own, item by item and paired by hash.

    A run of 20 of the questions is refused, and compared on those with `shared_items`.
    """
    rows = [
        {
            "number": number,
            "food": FOODS[number % 4],
            "choices": [f" {FOODS[(number + k) % 4]}{' and salt' * k}" for k in range(3)],
            "right": number % 3,
        }
        for number in range(QUESTIONS)
    ]
    (tmp_path / "tasks").mkdir()
    file = tmp_path / "foods.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "tasks" / "foods.yaml").write_text(TASK.format(file=file))
    models = {"gpt2": tiny_gpt2, "llama": tiny_llama}
    folders = {
        name: evaluated(model, tmp_path / "tasks", tmp_path / "out" / name) for name, model in models.items()
    }
    sides = {name: read(folder) for name, folder in folders.items()}
    judgement = judge(sides, "gpt2")
    assert [(c.metric, c.documents, c.reason) for c in judgement.comparisons] == [
        ("acc", QUESTIONS, None),
        ("acc_norm", QUESTIONS, None),
    ]
    assert not [finding for finding in judgement.audit if "not recorded" in finding.text]
    for name, folder in folders.items():
        (results,) = folder.glob("results_*.json")
        reported = json.loads(results.read_text())["results"]["foods"]
        values = {e.metric: e.value for e in judgement.estimates if e.method == name}
        assert values == pytest.approx({"acc": reported["acc,none"], "acc_norm": reported["acc_norm,none"]})

    fewer = read(evaluated(tiny_llama, tmp_path / "tasks", tmp_path / "out" / "fewer", 20))
    assert {c.verdict for c in judge({**sides, "llama": fewer}, "gpt2").comparisons} == {"refused"}
    shared = judge({**sides, "llama": fewer}, "gpt2", shared_items=True)
    assert {c.documents for c in shared.comparisons} == {20}

    report = tmp_path / "report"
    with pytest.raises(SystemExit) as ended:
        main(["judge", *(f"{n}={f}" for n, f in folders.items()), "--report", str(report)])
    assert ended.value.code == 0
    assert "foods" in capsys.readouterr().out
    assert (report / "figures" / "differences-1-foods.pdf").is_file()
    assert (report / "tables" / "verdicts.csv").read_text().count("\n") == 3
    with pytest.raises(UserError, match="unknown baseline"):
        judge(sides, "gpt3")
