"""`bakeoff judge` on files of other tools, as a user calls it."""

from __future__ import annotations

import json
import random

import pandas as pd
import pytest

from experiments.cli import main
from experiments.cli.commands import judging


def called(capsys, *arguments):
    """The command's exit code, output and errors."""
    with pytest.raises(SystemExit) as ended:
        main(["judge", *map(str, arguments)])
    streams = capsys.readouterr()
    return ended.value.code, streams.out, streams.err


@pytest.fixture
def texts(tmp_path):
    """Forty references of ten words, and two systems that get 30 % and 40 % of the words wrong."""
    draw = random.Random(1)
    words = ["mix", "flour", "water", "bowl", "salt", "bake", "oven", "minutes", "sugar", "butter"]
    reference = [[draw.choice(words) for _ in range(10)] for _ in range(40)]
    for name, share in (("ref", 0.0), ("a", 0.3), ("b", 0.4)):
        lines = [" ".join(draw.choice(words) if draw.random() < share else w for w in r) for r in reference]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_text_files_get_sacrebleus_own_p_value_to_the_digit(texts, capsys):
    """The same approximate randomisation as `sacrebleu --paired-ar`, and the same scores."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    files = {name: (texts / f"{name}.txt").read_text().split("\n")[:-1] for name in ("a", "b", "ref")}
    metric = BLEU(references=[files["ref"]])
    _, own = PairedTest([("a", files["a"]), ("b", files["b"])], {"BLEU": metric}, None, test_type="ar")()
    code, out, _ = called(
        capsys,
        texts / "a.txt",
        texts / "b.txt",
        "--references",
        texts / "ref.txt",
        "--json",
        "--metric",
        "bleu",
    )
    found = json.loads(out)
    assert code == 0
    assert found["sacrebleu_p"] == {"b": own["BLEU"][1].p_value}
    assert {e["method"]: round(e["value"], 9) for e in found["estimates"]} == {
        name: round(result.score, 9) for name, result in zip(("a", "b"), own["BLEU"], strict=True)
    }
    assert found["comparisons"][0]["baseline"] == "a"


def test_the_table_names_the_sides_and_what_is_flagged(texts, capsys):
    """Names are given before the path; one run per side is flagged."""
    sides = f"ours={texts / 'a.txt'}", f"theirs={texts / 'b.txt'}"
    code, out, _ = called(capsys, *sides, "--references", texts / "ref.txt", "--baseline", "theirs")
    assert code == 0
    assert "against theirs" in out
    assert "flagged: ours and theirs: one run per side" in out


def test_logs_of_different_lengths_are_refused_and_a_score_that_is_no_number_is_one_line(tmp_path, capsys):
    """Twenty items against seventeen: no verdict, the reason beside it. A NaN: exit 2, with file and item."""
    for name, scores in (("a", range(20)), ("b", range(17)), ("c", [*range(19), "NaN"])):
        rows = "".join(f"{item},{score}\n" for item, score in enumerate(scores))
        (tmp_path / f"{name}.csv").write_text(f"item,score\n{rows}")
    code, out, _ = called(capsys, tmp_path / "a.csv", tmp_path / "b.csv", "--json")
    (pair,) = json.loads(out)["comparisons"]
    assert (code, pair["verdict"]) == (1, "refused")
    assert "3 items of" in pair["reason"]
    assert "(17 are shared); --shared-items compares those" in pair["reason"]
    code, _, errors = called(capsys, tmp_path / "a.csv", tmp_path / "c.csv")
    assert code == 2
    assert errors == f"bakeoff: {tmp_path / 'c.csv'}: the score of item '19' is not a finite number\n"


def test_paths_may_hold_signs_and_a_baseline_the_name_of_a_column(texts, capsys, monkeypatch):
    """`lr=0.1,seed=0/result.txt`, as Hydra names folders; the baseline is called result."""
    folder = texts / "lr=0.1,seed=0"
    folder.mkdir()
    (texts / "b.txt").rename(folder / "result.txt")
    sides = folder / "result.txt", f"value={texts / 'a.txt'}"
    code, out, _ = called(capsys, *sides, "--references", texts / "ref.txt", "--metric", "bleu", "--json")
    values = {e["method"]: e["value"] for e in json.loads(out)["estimates"]}
    assert (code, list(values)) == (0, ["result", "value"])
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(judging, "print_rows", lambda title, rows: shown.extend(rows))
    called(capsys, *sides, "--references", texts / "ref.txt", "--metric", "bleu")
    numbers = [(row["result"], row["value"], row["baseline"]) for row in shown]
    assert numbers == [("value", f"{values['value']:.4g}", f"{values['result']:.4g}")]
    code, _, _ = called(capsys, f"x={folder / 'result.txt'},{folder / 'result.txt'}", sides[1])
    assert code != 0


def test_equal_scores_have_no_p_of_sacrebleus(texts, capsys):
    """Its test counts only what is farther apart than nothing, and calls equal texts certain to differ."""
    (texts / "c.txt").write_text((texts / "a.txt").read_text())
    paths = [texts / f"{name}.txt" for name in "abc"]
    _, out, _ = called(capsys, *paths, "--references", texts / "ref.txt", "--json", "--metric", "bleu")
    assert list(json.loads(out)["sacrebleu_p"]) == ["b"]


def test_a_direction_may_be_given(tmp_path, capsys):
    """Ten items with about 1 more: undecided with the reason, and worse if lower is better."""
    for name, more in (("a", 1.0), ("b", 0.0)):
        rows = "".join(f"{item},mystery,{item + more * (1 + item % 3 / 10)}\n" for item in range(10))
        (tmp_path / f"{name}.csv").write_text(f"item,metric,score\n{rows}")
    files = tmp_path / "a.csv", tmp_path / "b.csv", "--baseline", "b"
    code, out, _ = called(capsys, *files, "--json")
    (pair,) = json.loads(out)["comparisons"]
    assert (code, pair["verdict"]) == (0, "undecided")
    assert pair["reason"] == "which way is better is unknown: --direction"
    code, out, _ = called(capsys, *files, "--json", "--direction", "lower")
    assert json.loads(out)["comparisons"][0]["verdict"] == "worse"


def test_a_report_holds_the_table_the_figure_and_what_is_refused(tmp_path, capsys):
    """Ten items, scores of `a` 0.5 above: the CSV has the number, the page the words; a task is no markup."""
    for name, more in (("a", 0.5), ("b", 0.0)):
        rows = [
            f"{task},{item},{item % 3 + more * (1 + (item % 2 - 0.5) / 5)}"
            for task in ("t", "<b>")
            for item in range(10)
        ]
        if name == "a":
            rows.append("<b>,10,1")  # one item more than the other side
        (tmp_path / f"{name}.csv").write_text("task,item,score\n" + "\n".join(rows) + "\n")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("kept")
    sides = f"b={tmp_path / 'b.csv'}", f"a={tmp_path / 'a.csv'}"
    code, out, _ = called(capsys, *sides, "--report", tmp_path / "report")
    assert code == 0
    assert f"Report: {tmp_path / 'report' / 'report.html'}" in out
    folder = tmp_path / "report"
    table = pd.read_csv(folder / "tables" / "verdicts.csv").set_index("dataset")
    assert table.loc["t", "difference"] == pytest.approx(0.5)
    assert (table.loc["t", "value"], table.loc["t", "baseline_value"]) == pytest.approx((1.4, 0.9))
    assert table.loc["<b>", "verdict"] == "refused"
    assert sorted(file.name for file in folder.glob("figures/*.pdf")) == ["differences-1-t.pdf"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '<td data-label="task">&lt;b&gt;</td>' in page
    assert "refused: 1 items of" in page
    assert "<svg role=" in page
    assert "![t: differences to b](figures/differences-1-t.png)" in (folder / "report.md").read_text()
    assert (folder / "mine.txt").read_text() == "kept"


def test_a_report_of_losses_calls_nothing_paired_and_counts_no_documents(tmp_path, capsys):
    """Three seeds a side, one loss each: unpaired, and about 3 seeds."""
    sides = []
    for name, first in (("a", 1.0), ("b", 2.0)):
        files = []
        for seed in range(3):
            (tmp_path / f"{name}{seed}").mkdir()
            files.append(tmp_path / f"{name}{seed}" / "trainer_state.json")
            losses = {"log_history": [{"eval_loss": first + seed / 10, "step": 1}]}
            files[-1].write_text(json.dumps(losses))
        sides.append(f"{name}={','.join(map(str, files))}")
    code, _, _ = called(capsys, *sides, "--baseline", "b", "--report", tmp_path / "report")
    assert code == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Unpaired: one number per run, without its items." in page
    assert "aired by item" not in page
    assert "document" not in page.split("<h2", 2)[1]
    assert "3 seeds" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give at least two results"),
        (("a.txt",), "no such file"),
        (("x=a", "x=b"), "give each side a name of its own"),
    ],
)
def test_mistakes_are_one_line(arguments, words, capsys):
    """Nothing given, a file that is not there, one name twice: exit 2."""
    code, out, err = called(capsys, *arguments)
    assert code == 2
    assert words in err
    assert out == ""


def test_sides_of_several_tools_share_one_figure(tmp_path, capsys):
    """A baseline and one side from CSV files, another from the harness: one page compares and draws them."""
    items = range(12)
    for name, more in (("a", 1), ("b", 0)):
        rows = [f"t,acc,{item},{(item + more) % 2}" for item in items]
        (tmp_path / f"{name}.csv").write_text("task,metric,item,score\n" + "\n".join(rows) + "\n")
    samples = [
        {
            "doc_id": item,
            "target": "x",
            "arguments": [],
            "resps": [],
            "filtered_resps": [],
            "acc": item % 3 % 2,
        }
        for item in items
    ]
    lines = "\n".join(json.dumps(sample) for sample in samples)
    (tmp_path / "samples_t_2026-01-01T00-00-00.000000.jsonl").write_text(lines + "\n")
    sides = [f"{name}={tmp_path / f'{name}.csv'}" for name in ("b", "a")]
    sides.append(f"c={tmp_path / 'samples_t_2026-01-01T00-00-00.000000.jsonl'}")
    code, out, err = called(capsys, *sides, "--report", tmp_path / "report")
    assert (code, err) == (0, "")
    assert "Not drawn" not in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "report" / "figures" / "differences-1-t.pdf").is_file()
