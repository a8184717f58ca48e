"""Metrics of the user's own, from a folder beside a study and from installed packages."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from eval import metrics
from eval.metrics import all_metrics, measure, metric, own, signature
from experiments.cli.commands.listing import listing
from toolkit.errors import UserError

SOURCE = """
from eval.metrics import Metric
from eval.metrics.base import ratio

class Exclaims(Metric):
    name, label, unit, direction, signature = "exclaims", "exclamation marks", "marks", "lower", "marks"

    def statistics(self, outcome, context):
        generation = context.generation(outcome)
        return None if generation is None else (float(generation.text.count("!")), 1.0)

    def aggregate(self, sums):
        return ratio(sums[..., 0], sums[..., 1])

METRIC = Exclaims()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with one metric of its own, and a file that is none and may not be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BAKEOFF_CATALOG", raising=False)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "exclaims.py").write_text(SOURCE)
    (tmp_path / "metrics" / "train_my_model.py").write_text("raise SystemExit('imported')")
    return tmp_path


def test_a_file_in_the_working_folder_is_a_metric(folder, context, outcome, text):
    """Two texts with three and no exclamation marks: 1.5 each."""
    value, _ = measure(metric("exclaims"), [outcome(text(), "Mix!!!"), outcome(text(), "Mix.")], context)
    assert value.value == 1.5
    assert value.label == "exclamation marks"
    rows = {row["name"]: row["from"] for row in listing("metrics")}
    assert rows["exclaims"] == str(folder / "metrics" / "exclaims.py")
    assert rows["bleu"] == "built in"


def test_a_changed_file_changes_the_signature(folder, context):
    """Its source's hash is in it, so an evaluation is no longer current; a built-in metric has none."""
    before = signature(metric("exclaims"), context)
    assert before.startswith("marks|prompt:title|decoding:greedy|source:")
    assert "source:" not in signature(metric("bleu"), context)
    file = folder / "metrics" / "exclaims.py"
    file.write_text(SOURCE.replace('"!"', '"?"'))
    os.utime(file, ns=(1, 1))
    assert signature(metric("exclaims"), context) not in (before, "")


def test_metrics_lie_beside_the_catalog_folder_that_is_given(folder, monkeypatch):
    """`--catalog elsewhere/catalog` takes `elsewhere/metrics` and no longer the working folder's."""
    other = folder / "elsewhere" / "metrics"
    other.mkdir(parents=True)
    (other / "asks.py").write_text(SOURCE.replace("exclaims", "asks"))
    monkeypatch.setenv("BAKEOFF_CATALOG", str(folder / "elsewhere" / "catalog"))
    assert "asks" in all_metrics()
    assert "exclaims" not in all_metrics()
    beside = [str(folder / "elsewhere" / name) for name in ("catalog", "more")]  # one folder, not two
    monkeypatch.setenv("BAKEOFF_CATALOG", os.pathsep.join(beside))
    assert "asks" in all_metrics()


def test_a_package_that_a_metric_needs_may_have_any_version(folder):
    """`needs = "numpy"` is met by the installed one; a package that is not there is named."""
    file = folder / "metrics" / "exclaims.py"
    for stamp, (package, there) in enumerate({"numpy": True, "numpy==0.1": False, "no-such": False}.items()):
        file.write_text(SOURCE.replace("    name, label", f"    needs = {package!r}\n    name, label"))
        os.utime(file, ns=(stamp, stamp))
        assert ("exclaims" in all_metrics()) is there
        assert ("exclaims" in metrics.unavailable()) is not there


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("METRIC = 1", "METRIC is no instance of a subclass of eval.metrics.Metric"),
        (SOURCE.replace("name, label, unit", "nom, label, unite"), "the metric lacks name, unit"),
        (
            SOURCE.replace('"lower"', '"lower is better"'),
            "direction is 'lower is better'; it should be one of",
        ),
        ("METRIC = 1 / 0", "the metric cannot be imported: ZeroDivisionError"),
        (SOURCE.replace('"exclaims"', '"bleu"'), "the metric name 'bleu' is taken"),
    ],
)
def test_a_file_that_is_no_metric_is_refused_by_name(source, message, folder):
    """The file and what is wrong with it, in one line."""
    (folder / "metrics" / "exclaims.py").write_text(source)
    os.utime(folder / "metrics" / "exclaims.py", ns=(hash(source) % 10**9, hash(source) % 10**9))
    with pytest.raises(UserError, match=rf"exclaims.py: {message}"):
        all_metrics()


@pytest.mark.parametrize(
    ("line", "other", "message"),
    [
        ('(float(generation.text.count("!")), 1.0)', "0.5", "failed on document .*: TypeError"),
        ("sums[..., 1])", "sums[..., 2])", "failed on 1 documents' sums: IndexError"),
    ],
)
def test_a_metric_that_fails_is_told_by_name(line, other, message, folder, context, outcome, text):
    """Statistics that are one number and no row, and a column that no document has."""
    file = folder / "metrics" / "exclaims.py"
    wrong = SOURCE.replace(line, other)
    file.write_text(wrong)
    os.utime(file, ns=(hash(wrong) % 10**9, hash(wrong) % 10**9))
    with pytest.raises(UserError, match=f"metric 'exclaims' {message}"):
        measure(metric("exclaims"), [outcome(text(), "Mix!")], context)


def test_a_package_offers_a_metric_by_an_entry_point(folder, monkeypatch, context):
    """It names a metric; the origin names the package."""
    monkeypatch.syspath_prepend(folder / "metrics")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (folder / "metrics" / "exclaims.py").unlink()
    (folder / "metrics" / "asks_metric.py").write_text(SOURCE.replace("METRIC =", "made ="))
    load = lambda: importlib.import_module("asks_metric").made  # noqa: E731
    point = SimpleNamespace(name="asks", dist=SimpleNamespace(name="my-metrics"), load=load)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    monkeypatch.setattr(own, "_from_packages", lambda: tuple(own._load_entry_points()))
    assert metrics.origin("exclaims") == "package my-metrics"
    assert "|source:" in signature(metric("exclaims"), context)
    del sys.modules["asks_metric"]


def test_an_aggregate_that_takes_no_array_is_told_at_once(folder, context, outcome, text):
    """It would measure well, and fail in the comparison when everything has been trained."""
    source = SOURCE.replace("ratio(sums[..., 0], sums[..., 1])", "sums[0] / sums[1]")
    (folder / "metrics" / "exclaims.py").write_text(source)
    with pytest.raises(UserError, match=r"metric 'exclaims': aggregate takes sums of shape \[..., k\]"):
        measure(metric("exclaims"), [outcome(text(), "Mix!!!")], context)
