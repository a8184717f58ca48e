"""Other tools' files: what is read from them, and what is said of damaged ones."""

from __future__ import annotations

import json
import math

import pytest

from eval.foreign import read
from eval.foreign.judge import judge
from eval.foreign.measures import metric_of
from eval.foreign.sources.scores import hash_of
from toolkit.errors import UserError

SAMPLE = {
    "doc_id": 0,
    "doc": {"q": "1+1"},
    "target": "2",
    "arguments": [["1+1", " 2"]],
    "resps": [[[-0.5, True]]],
    "filtered_resps": [[-0.5, True]],
    "filter": "none",
    "metrics": ["acc", "bits_per_byte"],
    "doc_hash": "d0",
    "prompt_hash": "p0",
    "target_hash": "t0",
    "acc": 1.0,
    "bits_per_byte": [-6.0, 4],
}
INSTANCE = {
    "schema_version": "0.2.2",
    "evaluation_id": "e",
    "model_id": "me/a",
    "evaluation_name": "gsm8k",
    "sample_id": "1",
    "interaction_type": "single_turn",
    "input": {"raw": "1+1", "reference": ["2"]},
    "output": {"raw": ["2"]},
    "answer_attribution": [],
    "evaluation": {"score": 1.0, "is_correct": True},
}
PEFT = {
    "run_info": {"experiment_name": "lora/r32", "train_config": {"seed": 0}},
    "train_info": {"status": "success", "metrics": [{"step": 1, "valid accuracy": 0.3},
                                                    {"step": 2, "test accuracy": 636 / 1319}]},
}  # fmt: skip
LOG = [{"eval_loss": 2.0, "step": 1}, {"loss": 1.0}, {"eval_loss": 1.5, "eval_runtime": 3.0, "step": 2}]
STATE = {"best_model_checkpoint": "c", "log_history": LOG}


def jsonl(path, *rows):
    """The rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_lm_eval_samples_hold_scores_and_weighted_likelihoods(tmp_path):
    """acc 1 and 0 are (1, 1) and (0, 1); a log-likelihood of -6 over 4 bytes is (6 nats, 4 bytes)."""
    path = tmp_path / "samples_arc_easy_2026-06-23T10-00-00.123456.jsonl"
    acc, bits = read(jsonl(path, SAMPLE, {**SAMPLE, "doc_id": 1, "acc": 0.0, "prompt_hash": "p1"}))
    assert (acc.task, acc.metric, acc.direction, acc.formula) == (
        "arc_easy",
        "acc",
        "higher",
        "mean of 0 and 1",
    )
    assert acc.statistics.tolist() == [[1, 1], [0, 1]]
    assert acc.items == ("0", "1")
    assert acc.prompts == ("p0", "p1")
    assert bits.statistics.tolist() == [[6, 4], [6, 4]]
    assert bits.formula == "bits"


def test_lm_eval_filters_are_metrics_of_their_own(tmp_path):
    """Two filters of one task give `acc,strict` and `acc,flexible`, one document each."""
    rows = [{**SAMPLE, "filter": name, "metrics": ["acc"]} for name in ("strict", "flexible")]
    assert [s.metric for s in read(jsonl(tmp_path / "samples_x.jsonl", *rows))] == [
        "acc,strict",
        "acc,flexible",
    ]


def test_lm_eval_takes_the_newest_samples_of_a_folder_and_the_models_name(tmp_path):
    """Of two dates the later one; the name stands in results_….json."""
    jsonl(tmp_path / "samples_arc_2026-06-23T10-00-00.1.jsonl", {**SAMPLE, "acc": 0.0})
    jsonl(tmp_path / "samples_arc_2026-06-24T10-00-00.1.jsonl", SAMPLE)
    (tmp_path / "results_2026-06-24T10-00-00.1.json").write_text('{"model_name": "me/a"}')
    acc, _ = read(tmp_path)
    assert acc.statistics.tolist() == [[1, 1]]
    assert acc.model == "me/a"


def test_a_metric_of_a_whole_set_that_is_given_by_item_is_noted(tmp_path):
    """Bits per byte of documents are averaged here, and weighed by their bytes there."""
    path = tmp_path / "scores.csv"
    path.write_text("item,score,metric\n1,0.9,bits_per_byte\n2,0.8,bits_per_byte\n1,1,acc\n2,0,acc\n")
    bits, accuracy = read(path)
    assert "is the mean of the items' own values" in bits.notes[0]
    assert accuracy.notes == ()


def test_every_eval_ever_instances_group_by_model_and_evaluation(tmp_path):
    """Two models of two samples each: two entries; the same input gives the same prompt hash."""
    rows = [{**INSTANCE, "model_id": m, "sample_id": i} for m in ("me/a", "me/b") for i in ("1", "2")]
    a, b = read(jsonl(tmp_path / "x_samples.jsonl", *rows))
    assert (a.model, b.model) == ("me/a", "me/b")
    assert a.items == b.items == ("1", "2")
    assert a.prompts == b.prompts
    assert a.direction == "higher"


@pytest.mark.parametrize(
    ("told", "score", "correct", "direction", "name"),
    [
        ({"metric": "bits_per_byte", "direction": "lower"}, 0.0, False, "lower", "bits_per_byte"),
        ({"metric": "bits_per_byte"}, 1.0, False, "lower", "bits_per_byte"),  # by its name
        ({}, 1.0, True, "higher", "score"),  # 1 is marked as correct
        ({}, 1.0, False, "neither", "score"),  # it is not, and nothing else tells
        ({}, 0.7, True, "neither", "score"),
    ],
)
def test_every_eval_ever_tells_which_way_is_better_or_nobody_knows(
    told, score, correct, direction, name, tmp_path
):
    """The metadata as we export it, the name of the metric, what is marked as correct; never a guess."""
    line = {**INSTANCE, "metadata": told, "evaluation": {"score": score, "is_correct": correct}}
    (scores,) = read(jsonl(tmp_path / "x_samples.jsonl", line))
    assert (scores.direction, scores.metric) == (direction, name)


def test_a_logged_log_likelihood_is_a_perplexity_of_which_less_is_better(tmp_path):
    """LAMBADA logs log-likelihoods of -1 and -3 nats as `perplexity`: exp(2) = 7.389, lower is better."""
    rows = [
        {**SAMPLE, "doc_id": i, "metrics": ["perplexity"], "perplexity": ll}
        for i, ll in ((0, -1.0), (1, -3.0))
    ]
    (scores,) = read(jsonl(tmp_path / "samples_lambada.jsonl", *rows))
    assert scores.statistics.tolist() == [[1, 1], [3, 1]]
    value = metric_of(scores).aggregate(scores.statistics.sum(axis=0))
    assert math.isclose(value, math.exp(2))
    assert scores.direction == "lower"


def test_a_peft_record_is_a_share_of_gsm8ks_questions(tmp_path):
    """636 of 1,319; unpaired, as no predictions are kept."""
    path = tmp_path / "r.json"
    path.write_text(json.dumps(PEFT, indent=1))
    (scores,) = read(path)
    assert scores.trials == 1319
    assert scores.statistics[0, 0] == 636 / 1319
    assert scores.seed == 0
    assert "unpaired" in scores.notes[0]


def test_a_trainers_state_gives_its_last_evaluation_and_flags_a_best_checkpoint(tmp_path):
    """2.0 then 1.5: the last; seconds are no metric."""
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps(STATE))
    (scores,) = read(path)
    assert (scores.metric, scores.statistics.tolist(), scores.direction) == ("eval_loss", [[1.5]], "lower")
    assert "best checkpoint" in scores.notes[1]


def test_a_csv_may_have_its_header_in_quotes(tmp_path):
    """As R and pandas write it with quoting: two items, scores 1 and 0."""
    path = tmp_path / "scores.csv"
    path.write_text('"item","score"\n"a",1\n"b",0\n')
    (scores,) = read(path)
    assert (scores.items, scores.statistics.tolist()) == (("a", "b"), [[1, 1], [0, 1]])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_csv_may_be_separated_by_semicolons_or_tabs(tmp_path, delimiter):
    """As spreadsheets write them; a decimal comma is told."""
    path = tmp_path / "x.csv"
    path.write_text("item,score,model\na,0.5,m\nb,1,m\n".replace(",", delimiter))
    (scores,) = read(path)
    assert (
        scores.items == ("a", "b") and scores.model == "m" and scores.statistics[:, 0].tolist() == [0.5, 1.0]
    )
    path.write_text("item;score\na;0,5\n")
    with pytest.raises(UserError, match="line 2: score '0,5' is not a number. Write decimals with a point"):
        read(path)


def test_a_csv_groups_by_model_seed_and_metric(tmp_path):
    """Two seeds of two items: two entries, scores 0.5 and 1 are a mean and no share."""
    path = tmp_path / "scores.csv"
    path.write_text("item,seed,score\na,0,0.5\nb,0,1\na,1,1\nb,1,0\n")
    first, second = read(path)
    assert (first.seed, first.formula, first.statistics.tolist()) == (0, "mean", [[0.5, 1], [1, 1]])
    assert (second.seed, second.formula) == (1, "mean of 0 and 1")
    assert first.task == second.task == "items"  # so that files of two names are of one task
    path.write_text("task,item,score\nsums,a,0.5\n,a,1\n")
    assert [scores.task for scores in read(path)] == ["sums", "items"]


def test_a_csv_is_read_as_pandas_writes_it(tmp_path):
    """Whole numbers with a fraction of 0 where a column has gaps, and spaces around items."""
    path = tmp_path / "scores.csv"
    path.write_text("item,seed,score\n q1,1.0,0.5\nq1 ,2.0,1\nq1,,1\n")
    assert [(scores.seed, scores.items) for scores in read(path)] == [
        (1, ("q1",)),
        (2, ("q1",)),
        (None, ("q1",)),
    ]


def test_an_empty_prompt_or_target_is_unknown_and_not_equal_to_another(tmp_path):
    """Nothing, an empty text or list, and blanks are None; what is there has its hash, 16 digits."""
    path = tmp_path / "scores.csv"
    path.write_text("item,score,prompt,target\na,1,,x\nb,0, ,\n")
    (table,) = read(path)
    assert (table.prompts, table.targets) == ((None, None), (hash_of("x"), None))
    inputs = ({}, {"raw": "", "reference": []}, {"raw": "1+1", "reference": [""]}, {"reference": ["2"]})
    rows = [{**INSTANCE, "sample_id": str(i), "input": given} for i, given in enumerate(inputs)]
    (lines,) = read(jsonl(tmp_path / "x_samples.jsonl", *rows))
    assert lines.prompts == (None, None, hash_of("1+1"), None)
    assert lines.targets == (None, None, None, hash_of("2"))
    found = judge({"a": [table], "b": [table]}, "b").audit
    assert [f.text for f in found if f.check == "prompts"] == ["prompts are not recorded: equal by item only"]


def test_text_files_hold_sacrebleus_counts(tmp_path):
    """`a b` against `a c`: length 2 and 2, one of two unigrams, none of one bigram."""
    (tmp_path / "h.txt").write_text("a b\nx y z\n")
    (tmp_path / "r.txt").write_text("a c\nx y z\n")
    bleu, chrf = read(tmp_path / "h.txt", tmp_path / "r.txt")
    assert bleu.statistics[0].tolist() == [2, 2, 1, 0, 0, 0, 2, 1, 0, 0]
    assert bleu.items == ("1", "2")
    assert len(chrf.statistics) == 2


def _line(**changes):
    return json.dumps({**SAMPLE, **changes})


DAMAGED = {
    "empty": ("x.jsonl", "", "the file is empty"),
    "white space": ("x.jsonl", " \n\n", "the file is empty"),
    "not UTF-8": ("x.jsonl", b"\xff\xfe{\x00", "not UTF-8"),
    "words": ("x.jsonl", "hello world", "not a known format"),
    "half a line": ("x.jsonl", _line() + '\n{"doc_id": 1, "acc', "line 2: not valid JSON"),
    "a list": ("x.jsonl", "[1, 2]", "not a known format"),
    "a list on line 2": ("x.jsonl", _line() + "\n[1]", "line 2: expected a JSON object, got list"),
    "NaN": ("x.jsonl", _line().replace("1.0", "NaN"), "NaN is not a number in JSON"),
    "Infinity": ("x.jsonl", _line().replace("1.0", "Infinity"), "Infinity is not a number"),
    "a huge number": ("x.jsonl", _line().replace("1.0", "1e999"), "not a finite number"),
    "deep nesting": ("x.jsonl", '{"a":' * 100_000, "nested too deeply"),
    "an unknown object": ("x.jsonl", '{"a": 1}', "not a known format"),
    "no doc_id later": ("x.jsonl", _line() + '\n{"acc": 1}', "line 2: no 'doc_id'"),
    "a text as score": ("x.jsonl", _line() + "\n" + _line(doc_id=1, acc="yes"), "'yes' is not a"),
    "a missing score": ("x.jsonl", _line() + "\n" + _line(doc_id=1, acc=None), "'None' is not a"),
    "a document twice": ("x.jsonl", _line() + "\n" + _line(), "item '0' is given more than once"),
    "no metric": ("x.jsonl", _line(metrics=["bleu"], bleu=["a", "b"]), "no metric has one number"),
    "half a pair": ("x.jsonl", _line(bits_per_byte=[-6.0]), "not a pair of a log-likelihood and a count"),
    "no bytes": ("x.jsonl", _line(bits_per_byte=[-6.0, 0]), "counts 0 units"),
    "an instance without input": ("x.jsonl", json.dumps({k: v for k, v in INSTANCE.items() if k != "input"}),
                                  "no 'input'"),
    "an instance without score": ("x.jsonl", json.dumps({**INSTANCE, "evaluation": {}}), "not a finite"),
    "an instance of words": ("x.jsonl", json.dumps({**INSTANCE, "evaluation": "good"}), "have to be objects"),
    "a failed run": ("x.json", json.dumps({**PEFT, "train_info": {"status": "failed"}}), "is 'failed'"),
    "an experiment without test": ("x.json", json.dumps({**PEFT, "train_info": {"status": "success"}}),
                                   "no 'test accuracy'"),
    "an accuracy of 48": ("x.json", json.dumps({**PEFT, "train_info": {
        "status": "success", "metrics": [{"test accuracy": 48.2}]}}), "is not a share"),
    "a run section of words": ("x.json", json.dumps({**PEFT, "run_info": "x"}), "have to be objects"),
    "a state without evaluation": ("x.json", '{"log_history": [{"loss": 1.0}]}', "no 'eval_…' value"),
    "a state of words": ("x.json", '{"log_history": "x"}', "has to be a list"),
    "a state with NaN": ("x.json", '{"log_history": [{"eval_loss": NaN}]}', "'nan' is not a finite number"),
    "a state with null": ("x.json", '{"log_history": [{"eval_loss": null}]}', "'None' is not a"),
    "a CSV without rows": ("x.csv", "item,score\n", "a header and no rows"),
    "a CSV of words": ("x.csv", "item,score\na,b\n", "line 2: score 'b' is not a number"),
    "a CSV with nan": ("x.csv", "item,score\na,nan\n", "is not a finite number"),
    "a CSV with a short row": ("x.csv", "item,seed,score\na,0\n", "line 2: 3 columns expected"),
    "a CSV with a long row": ("x.csv", "item,score\na,0,1\n", "line 2: 2 columns expected"),
    "a CSV with seed x": ("x.csv", "item,seed,score\na,x,1\n", "seed 'x' is not a whole number"),
    "a CSV with 1_0": ("x.csv", "item,score\na,1_0\n", "line 2: score '1_0' is not a number"),
    "a CSV with two scores": ("x.csv", "item,score,Score\na,1,2\n", "two columns are called 'score'"),
    "a number of 400 digits": ("x.jsonl", _line().replace("1.0", "1" * 400), "is not a finite number"),
    "a CSV with an item twice": ("x.csv", "item,score\na,1\na,0\n", "item 'a' is given more than once"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_log_is_one_line(name, tmp_path):
    """It names the file, what is wrong and where."""
    file, content, words = DAMAGED[name]
    path = tmp_path / file
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        read(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_thirty_damaged_logs_are_tried():
    """The table above is not empty."""
    assert len(DAMAGED) >= 30


def test_what_is_not_there_or_no_file_is_one_line(tmp_path):
    """A missing file, an empty folder, a device, and text files of different lengths."""
    (tmp_path / "a").write_text("x\ny\n")
    (tmp_path / "b").write_text("x\n")
    (tmp_path / "empty").mkdir()
    for words, call in {
        "no such file": lambda: read(tmp_path / "none"),
        "no results in it": lambda: read(tmp_path / "empty"),
        "not a regular file": lambda: read(type(tmp_path)("/dev/zero")),
        "has 2 lines": lambda: read(tmp_path / "a", tmp_path / "b"),
    }.items():
        with pytest.raises(UserError, match=words):
            call()


def test_bits_follow_from_the_weights(tmp_path):
    """6 nats over 4 bytes twice, 12 over 8: 12 / 8 / ln 2 = 2.164 bits per byte."""
    _, bits = read(jsonl(tmp_path / "samples_x.jsonl", SAMPLE, {**SAMPLE, "doc_id": 1}))
    value = metric_of(bits).aggregate(bits.statistics.sum(axis=0))
    assert math.isclose(value, 2.1640425613334453)
