"""The door: every line that DESIGN and the README show, with frames whose columns are documented."""

from __future__ import annotations

import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bakeoff
from bakeoff import columns
from toolkit.errors import UserError


def test_importing_the_door_loads_neither_torch_nor_pandas():
    """A fresh interpreter imports it; nothing heavy is there, and scoring texts loads no torch either."""
    code = (
        "import bakeoff, sys; heavy = {'torch', 'transformers', 'pandas', 'matplotlib'} & set(sys.modules);"
        "assert not heavy, heavy; bakeoff.score(['a b'], ['a b']); bakeoff.load; bakeoff.study;"
        "bakeoff.columns.VERDICTS;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


def test_every_public_name_is_there():
    """What `__all__` promises can be had, and is listed by `dir`."""
    assert len(bakeoff.__all__) >= 9
    for name in bakeoff.__all__:
        assert getattr(bakeoff, name) is not None
        assert name in dir(bakeoff)
    with pytest.raises(AttributeError, match="no attribute 'scoer'"):
        bakeoff.scoer  # noqa: B018
    assert bakeoff.__version__[0].isdigit()


def test_two_lists_of_texts_are_scored_and_compared():
    """BLEU of equal texts is 100; a text against itself differs by 0."""
    texts = ["Boil the rice in salted water until soft.", "Fry the onion and the garlic in butter."] * 5
    assert bakeoff.score(texts, texts, "bleu").value == pytest.approx(100)
    assert bakeoff.compare(texts, texts, texts, "bleu").difference == 0


@pytest.mark.parametrize("frame", ["verdicts", "scores", "costs"])
def test_a_frame_has_its_documented_columns(result, frame):
    """The columns are those of `bakeoff.columns`, in order, and there are rows."""
    table = getattr(result, frame)
    documented = getattr(columns, frame.upper())
    assert list(table.columns) == list(documented)
    assert len(table) > 0
    assert all(text.endswith(".") for text in documented.values())


def test_costs_are_those_of_training_runs(result):
    """Two methods and one seed are two rows: the untouched base was not trained."""
    assert sorted(result.costs["method"]) == ["full", "lora-r16"]
    assert set(result.costs["phase"]) == {"confirm"}


def test_verdicts_are_about_the_studys_methods(result):
    """The quickstart judges LoRA against full fine-tuning, and both against the base, on three metrics."""
    pairs = set(zip(result.verdicts["method"], result.verdicts["baseline"], strict=True))
    assert pairs == {("lora-r16", "full"), ("full", "base"), ("lora-r16", "base")}
    assert set(result.verdicts["metric"]) == {"bits_per_byte", "bleu", "structure_compliance"}
    assert result.failed == {}
    assert result.report.is_file()


def test_a_frame_is_the_users_own(result):
    """Changing a frame changes nothing of the result."""
    frame = result.verdicts
    frame["verdict"] = "changed"
    assert "changed" not in set(result.verdicts["verdict"])


def test_results_are_loaded_from_their_folder(result, door_root):
    """`load` reads what `run` returned."""
    again = bakeoff.load(door_root / "results" / "small")
    assert again.verdicts.equals(result.verdicts)
    assert "small" in repr(again)


def test_a_finished_study_is_not_trained_again(result, door_root, tiny_gpt2):
    """Its run records keep their time of change."""
    records = sorted((door_root / "runs").glob("*/run.json"))
    assert len(records) == 3
    before = [path.stat().st_mtime_ns for path in records]
    settings = {
        "data": {"train": 12, "validation": 4, "test": 6, "max_characters": 320},
        "train": {"batch_tokens": 1024, "validations": 1, "precision": "fp32"},
    }
    model = {"name": "tiny", "folder": str(tiny_gpt2)}
    again = bakeoff.study(
        "quickstart", name="small", base_models=model, **settings, evaluate__max_new_tokens=12
    )
    assert again.run(door_root, quiet=True).verdicts.equals(result.verdicts)
    assert [path.stat().st_mtime_ns for path in records] == before


def test_the_runs_are_those_of_the_root_if_results_is_a_link(result, door_root, tmp_path, monkeypatch):
    """`results` links to another disk, which has no `runs` beside it."""
    root, disk = tmp_path / "root", tmp_path / "disk"
    shutil.copytree(door_root / "results", disk / "results")
    root.mkdir()
    (root / "results").symlink_to(disk / "results")
    (root / "runs").symlink_to(door_root / "runs")
    monkeypatch.setattr("experiments.running.runner.bring_up_to_date", lambda *_, **__: None)
    monkeypatch.setattr("figures.report.page.build", lambda *_: None)
    again = bakeoff.study("quickstart", name="small").run(root, quiet=True)
    assert again.costs.equals(result.costs)
    with pytest.raises(UserError):
        bakeoff.load(root / "results" / "small")


def test_words_of_any_script_reach_the_study_whole():
    """A character beyond the 16-bit ones, which JSON would escape as two halves."""
    question = "Which is better? \N{GRINNING FACE}"
    assert bakeoff.study("quickstart", question=question).spec.question.encode() == question.encode()


def test_a_number_of_jobs_below_one_is_refused(tmp_path):
    """One line, before anything runs."""
    with pytest.raises(UserError, match="jobs: -1; at least one run at a time"):
        bakeoff.study("quickstart").run(tmp_path, jobs=-1, quiet=True)


def test_every_figure_of_the_result_can_be_plotted(result):
    """Each name in `figures` gives Axes that show something, alone and into Axes of the user's."""
    assert "differences" in result.figures
    for name in result.figures:
        whole = result.plot(name)
        assert whole.has_data() or whole.texts
        figure, ax = plt.subplots()
        assert result.plot(name, ax=ax) is ax
        assert ax.has_data() or ax.texts
        plt.close(figure)
        plt.close("all")


def test_a_panel_is_chosen_by_its_metric(result):
    """One panel of several, in the user's Axes; an unknown metric names the nearest."""
    figure, ax = plt.subplots()
    assert result.plot("differences", ax=ax, metric="bleu") is ax
    plt.close(figure)
    with pytest.raises(UserError, match="Did you mean 'bleu'"):
        result.plot("differences", metric="blue")


def test_plotting_leaves_matplotlibs_settings_alone(result):
    """The style is for the figure, not for the session."""
    before = plt.rcParams.copy()
    result.plot("metrics")
    plt.close("all")
    assert plt.rcParams == before


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bakeoff.study("quickstrat"), "Did you mean 'quickstart'"),
        (lambda: bakeoff.study("quickstart", train__epoch=2), "Did you mean 'epochs'"),
        (lambda: bakeoff.load("/nowhere/at-all"), "is not a folder"),
    ],
)
def test_a_mistake_is_one_line_with_the_remedy(call, message):
    """The same errors as on the command line."""
    with pytest.raises(UserError, match=message):
        call()


def test_an_unknown_figure_names_the_nearest(result):
    """`diferences` is close to `differences`."""
    with pytest.raises(UserError, match="Did you mean 'differences'"):
        result.plot("diferences")


def test_a_folder_without_results_says_what_to_run(tmp_path):
    """Nothing was concluded there."""
    with pytest.raises(UserError, match="holds no comparisons.json"):
        bakeoff.load(tmp_path)


def test_overrides_may_be_what_json_lacks(tmp_path):
    """A range, a path and a number of NumPy's; anything else is one line."""
    made = bakeoff.study("quickstart", seeds=range(3), train__epochs=np.float64(2)).spec
    assert (made.seeds, made.train.epochs) == ((0, 1, 2), (2.0,))
    own = bakeoff.study("quickstart", dataset={"name": "own", "files": [tmp_path / "a.csv"]}).spec
    assert own.dataset[0].files == (str(tmp_path / "a.csv"),)
    with pytest.raises(UserError, match="is of type complex: give numbers, texts, lists or dicts"):
        bakeoff.study("quickstart", seeds=[1j])


def test_notes_of_a_plot_in_ones_own_axes_stay_inside_its_width_and_below_its_label(result):
    """A column of a page: no line of the note is wider than the figure."""
    figure, ax = plt.subplots(figsize=(3.3, 2.2))
    result.plot("differences", ax=ax, metric="bits_per_byte")
    (note,) = [text for text in ax.texts if text.get_gid() == "note"]
    drawn = note.get_window_extent()
    assert drawn.x1 <= figure.bbox.x1
    assert drawn.y1 <= ax.xaxis.label.get_window_extent().y0
    alone = result.plot("differences", metric="bits_per_byte").figure
    assert len(alone.axes) == 1
    plt.close("all")


def test_overrides_are_those_of_the_command_line():
    """Two underscores are a dot; a mapping is a mapping."""
    study = bakeoff.study("quickstart", seeds=[0, 1, 2], train__epochs=2, methods={"full": 1e-4})
    assert study.spec.seeds == (0, 1, 2)
    assert study.spec.train.epochs == (2.0,)
    assert list(study.spec.methods) == ["full"]
    assert study.name == "quickstart"
