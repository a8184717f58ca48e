"""The canary: planted drifts are noticed, harmless differences pass, and the first release is found."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest

from experiments.canary import compare as canary
from experiments.canary.compare import between, first_moved
from experiments.canary.drift import drifts, overall
from experiments.canary.environments import pins
from experiments.canary.runs import _likelihoods
from experiments.cli.app import main
from tests.experiments.canary.record import PLANTED, SERIES
from toolkit.errors import UserError
from toolkit.records.folders import RunFolder

RECORDED = json.loads(SERIES.read_text())
"""Drift -> run -> series: recorded by `record.py`, three seeds of full fine-tuning and LoRA."""
NULL = ("nothing", "other_order_of_sums")
DRIFTS = tuple(plant.__name__ for plant in PLANTED if plant.__name__ not in NULL)


def runs(*series, quantity="loss"):
    """One run per series, seeds counted up."""
    fill = {"loss": [1.0], "gradient_norm": [1.0], "likelihood": [1.0]}
    return {f"tiny full {seed}": {**fill, quantity: list(values)} for seed, values in enumerate(series)}


def drift_of(one, other, quantity="loss", **settings):
    """The drift of one quantity."""
    (found,) = [d for d in drifts(one, other, **settings) if d.quantity == quantity]
    return found


def test_a_run_that_diverges_has_moved_and_is_not_missing_weights(tmp_path):
    """It leaves no artifact: no likelihoods, where the other side has some."""
    record = SimpleNamespace(status="diverged")
    found = _likelihoods(record, RunFolder(tmp_path, "run"), ["one", "two"])
    assert found == [None, None]
    one = {"tiny full 0": {"loss": [1.0], "gradient_norm": [1.0], "likelihood": found}}
    other = {"tiny full 0": {"loss": [1.0], "gradient_norm": [1.0], "likelihood": [1.0, 1.0]}}
    assert drift_of(one, other, "likelihood").verdict == "moved"


def test_the_distance_is_the_mean_absolute_difference_with_an_interval_over_seeds():
    """Seeds at |0.3| and |-0.1| -> 0.2 and 0.1 after pairing: mean 0.15, t of one degree 12.7 x 0.05."""
    found = drift_of(runs([2.0, 2.3], [2.0, 2.0]), runs([1.9, 2.0], [2.1, 2.1]))
    assert found.distance == pytest.approx((0.2 + 0.1) / 2)
    assert found.mean == pytest.approx((0.2 - 0.1) / 2)
    assert found.high == pytest.approx(0.15 + 12.706 * 0.05, abs=1e-3)
    assert found.low == 0
    assert (found.first, found.verdict) == (1, "undecided")


def test_differences_that_cancel_are_a_drift():
    """+0.5 and -0.5: the mean is 0, the distance 0.5."""
    found = drift_of(runs([2.5, 1.5], [2.5, 1.5]), runs([2.0, 2.0], [2.0, 2.0]))
    assert (found.mean, found.distance, found.verdict) == (0, 0.5, "moved")


def test_a_norm_is_compared_by_its_ratio():
    """Halved gradients: ln 2 = 0.69 of the norm, whatever its size."""
    found = drift_of(
        runs([4.0], [0.2], quantity="gradient_norm"),
        runs([8.0], [0.4], quantity="gradient_norm"),
        "gradient_norm",
    )
    assert found.distance == pytest.approx(math.log(2))
    assert found.verdict == "moved"


def test_runs_that_cannot_be_paired_have_moved():
    """A step more, a run that is missing, a value that is unknown."""
    whole = runs([1.0, 1.0])
    for other in (runs([1.0]), {}, runs([1.0, None])):
        assert drift_of(whole, other).verdict == "moved"
        assert drift_of(other, whole).distance == math.inf


@pytest.mark.parametrize("name", DRIFTS)
def test_a_planted_drift_is_noticed(name):
    """Labels off by one, end-of-text masked, a loss divided by the accumulation: in both methods.

    A base in the bf16 that it is stored in changes full fine-tuning alone: 0.006 nats per token. LoRA's base
    is frozen, and bf16 holds it exactly.
    """
    found = drifts(RECORDED[name], RECORDED["nothing"])
    assert overall(found) == "moved"
    moved = {drift.runs for drift in found if drift.verdict == "moved"}
    assert moved == ({"llama full"} if name == "dtype_auto" else {"llama full", "llama lora"})


def test_the_same_arithmetic_is_equal_and_another_order_of_sums_equivalent():
    """Attention by another kernel: below 1e-4 nats, and not 0."""
    assert overall(drifts(RECORDED["nothing"], RECORDED["nothing"])) == "equal"
    found = drifts(RECORDED["other_order_of_sums"], RECORDED["nothing"])
    assert overall(found) == "equivalent"
    assert 0 < max(drift.high for drift in found if drift.quantity == "loss") < 1e-4


def test_a_wider_margin_passes_a_small_drift():
    """0.005 nats: moved at a margin of 0.001, equivalent at ten times as much."""
    one, other = runs([1.005], [1.005]), runs([1.0], [1.0])
    assert drift_of(one, other).verdict == "moved"
    assert drift_of(one, other, scale=10).verdict == "equivalent"


def test_the_first_release_that_moved_is_found_by_halving():
    """Of eight releases whose fifth moved, three are tried; the last one is known to have moved."""
    tried = []

    def moved(version):
        tried.append(version)
        return version >= 5

    assert first_moved(range(1, 9), moved) == 5
    assert len(tried) == 3
    assert first_moved([1, 2, 3], lambda version: version == 3) == 3


def test_releases_are_searched_from_the_good_one_in_either_direction():
    """From 0.2 up to 0.4, and from 0.4 down to 0.2; one that pip does not know is named."""
    known = ["0.1", "0.2", "0.3", "0.4"]
    assert between(known, "0.2", "0.4") == ["0.3", "0.4"]
    assert between(known, "0.4", "0.2") == ["0.3", "0.2"]
    with pytest.raises(UserError, match=r"no release 0\.9 to search from"):
        between(known, "0.2", "0.9")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name at least one"),
        ("peft", "no exact version"),
        ("peft>=0.19", "no exact version"),
        ("--index-url=http://evil peft==1", "no exact version"),
        ("peft==0.19 @ file:///x", "no exact version"),
        ("numpy==2.0", "unknown package .*'numpy'"),
    ],
)
def test_a_side_is_exact_versions_of_the_stack_and_nothing_else(text, says):
    """Neither options of pip nor addresses reach it."""
    with pytest.raises(UserError, match=says):
        pins(text)


def test_a_side_may_name_several_packages():
    """By spaces or commas."""
    assert pins("peft==0.19.1, torch==2.13.0+cpu") == {"peft": "0.19.1", "torch": "2.13.0+cpu"}


@pytest.fixture
def measured(monkeypatch):
    """A side is measured by choosing one of the recorded ones: `measured["now"]` is what is installed."""
    now = {"now": "nothing"}

    def bases(folder):
        for base in ("gpt2", "llama"):
            (folder / base).mkdir()
            (folder / base / "model.safetensors").write_text(now.get("bases", ""))
            (folder / base / "tokenizer.json").write_text("")

    monkeypatch.setattr(canary, "_make_bases", bases)
    monkeypatch.setattr(
        canary, "_measured", lambda side, *_: {"versions": {"peft": "1"}, "runs": RECORDED[now["now"]]}
    )
    return now


def command(*arguments):
    """The exit code of `bakeoff canary …`."""
    with pytest.raises(SystemExit) as ended:
        main(["canary", *map(str, arguments)])
    return ended.value.code


@pytest.mark.parametrize("name", ["nothing", *DRIFTS])
def test_a_stored_side_shows_whether_an_upgrade_moved_anything(measured, tmp_path, capsys, name):
    """Stored, upgraded, compared: equal if nothing happened (0), moved if a drift came with it (1)."""
    before = tmp_path / "before.json"
    assert command("--store", before) == 0
    measured["now"] = name
    assert command("--against", before, "--root", tmp_path) == int(name != "nothing")
    kept = json.loads((tmp_path / "results" / "canary.json").read_text())
    assert kept["verdict"] == ("equal" if name == "nothing" else "moved")
    assert kept["measured"]["against"]["runs"] == RECORDED["nothing"]
    assert ("Equal to the last bit" in capsys.readouterr().out) == (name == "nothing")


def test_a_stored_side_of_other_bases_is_refused(measured, tmp_path, capsys):
    """Random numbers of another torch: the runs can't be paired."""
    before = tmp_path / "before.json"
    command("--store", before)
    measured["bases"] = "other"
    assert command("--against", before) == 2
    assert "started from other files" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read .*No such file"),
        ("{", "cannot read .*Expecting"),
        ("[" * 100_000, "cannot read "),
        ("[]", "holds no stored runs"),
        ('{"runs": {}, "versions": {}, "bases": {}}', "holds no stored runs"),
        ('{"runs": {"a": {"loss": 1, "gradient_norm": [], "likelihood": []}}}', "holds no stored runs"),
        ('{"runs": {"a": {"loss": ["1"], "gradient_norm": [], "likelihood": []}}}', "holds no stored runs"),
        ('{"runs": {"a": {"loss": [], "gradient_norm": [], "likelihood": []}}}', "holds no stored runs"),
    ],
)
def test_what_is_no_stored_side_is_one_line(tmp_path, content, says):
    """A file that is missing, damaged, or something else."""
    path = tmp_path / "before.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=says) as caught:
        canary.compare(None, path, tell=print)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name the other side"),
        (("--store", "a.json", "--bisect"), "--store measures what is installed"),
        (("--store", "a.txt"), "a new file that ends in .json"),
        (("--against", "peft==0.19.1", "--bisect"), "--bisect needs one package"),
    ],
)
def test_sides_that_make_no_comparison_are_refused(arguments, says, capsys):
    """With the remedy, before anything runs."""
    assert command(*arguments) == 2
    assert says in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_what_is_installed_is_equal_to_itself(tmp_path, capsys):
    """The real runs, one seed, stored and made again."""
    before = tmp_path / "before.json"
    assert command("--store", before, "--seeds", "1") == 0
    stored = json.loads(before.read_text())
    assert len(stored["runs"]) == 4
    assert len(stored["bases"]) == 4
    assert command("--against", before, "--root", tmp_path) == 0
    assert "Equal to the last bit" in capsys.readouterr().out


def test_a_stored_side_of_another_machine_is_pointed_out(measured, tmp_path):
    """Compared all the same; more memory alone is no other machine."""
    before, said = tmp_path / "before.json", []
    command("--store", before)
    stored = json.loads(before.read_text())
    for fact, told in (("memory_bytes", False), ("processor", True)):
        said.clear()
        before.write_text(json.dumps(stored | {"machine": stored["machine"] | {fact: "other"}}))
        assert canary.compare(None, before, tell=said.append).verdict == "equal"
        assert any("made on another machine" in line for line in said) == told
