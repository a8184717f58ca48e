"""A user's own catalog beside the built-in one: looked up alike, named with its origin, never ambiguous."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from rich.console import Console

from experiments.cli.app import main
from experiments.design import study
from experiments.design.planning import plan as plans
from experiments.running.board import Board
from experiments.running.runner import bring_up_to_date
from tests.factories import small_run
from toolkit import config
from toolkit.catalog import BUILT_IN, entries
from toolkit.errors import UserError

METHOD = "lora-3: {note: my own, peft: {peft_type: LORA, r: 3, target_modules: all-linear}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a `catalog/` folder in it."""
    (tmp_path / "work" / "catalog").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("BAKEOFF_CATALOG", raising=False)
    return tmp_path / "work" / "catalog"


def run_of(method: str) -> str:
    """The id of a run of this method."""
    return small_run(config.model("distilgpt2"), config.method(method)).run_id


def test_a_folder_named_catalog_is_looked_up_beside_the_built_in_entries(folder: Path) -> None:
    """A method of rank 3, a data set whose file is beside the catalog, and its own format."""
    (folder / "methods.yaml").write_text(METHOD)
    (folder / "datasets.yaml").write_text("notes: {files: [notes.jsonl], format: note, note: my notes}\n")
    (folder / "formats.yaml").write_text(
        "note: {sections: [{name: title, marker: 'T:'}, {name: body, marker: 'B:'}], end: '--'}\n"
    )
    assert config.method("lora-3").peft == {"peft_type": "LORA", "r": 3, "target_modules": "all-linear"}
    notes = config.dataset("notes")
    assert (notes.files, notes.format.end) == ((str(folder / "notes.jsonl"),), "--")
    assert entries("methods")["lora-3"].origin == str(folder / "methods.yaml")
    assert entries("methods")["full"].origin == BUILT_IN


def test_an_own_entrys_content_is_part_of_a_runs_identity(folder: Path) -> None:
    """The same name with rank 4 instead of 3 is another run; another note is not."""
    (folder / "methods.yaml").write_text(METHOD)
    before = run_of("lora-3")
    (folder / "methods.yaml").write_text(METHOD.replace("my own", "mine"))
    assert run_of("lora-3") == before
    (folder / "methods.yaml").write_text(METHOD.replace("r: 3", "r: 4"))
    assert run_of("lora-3") != before


def test_two_entries_of_one_name_are_an_error(folder: Path) -> None:
    """`full` is built in: what it means must not depend on the folder one stands in."""
    (folder / "methods.yaml").write_text("full: {trainable: ['*.bias']}\n")
    with pytest.raises(UserError, match=r"methods.yaml: the name 'full' is taken \(built in\)"):
        config.method("lora-r16")


def test_another_folder_is_named_with_every_command(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--catalog DIR` before or after the command, in place of `catalog/`; entries name their file."""
    (folder / "methods.yaml").write_text("ignored: {trainable: ['*']}\n")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "methods.yaml").write_text(METHOD)
    monkeypatch.setenv("BAKEOFF_CATALOG", "")
    with pytest.raises(SystemExit) as done:
        main(["catalog", "methods", "--json", "--catalog", "../shared"])
    listed = capsys.readouterr().out
    assert done.value.code == 0
    assert '"lora-3"' in listed
    assert str(tmp_path / "work" / "../shared" / "methods.yaml") in listed
    assert "ignored" not in listed
    with pytest.raises(SystemExit) as done:
        main(["--catalog=nowhere", "catalog", "methods"])
    assert done.value.code == 2
    assert "--catalog nowhere: none of models.yaml" in " ".join(capsys.readouterr().err.split())


def test_an_installed_package_may_bring_entries(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry point of the group `bakeoff.catalog` names a package; its name is the origin."""
    package = tmp_path / "site" / "peft_zoo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "methods.yaml").write_text(METHOD)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    point = importlib.metadata.EntryPoint(name="zoo", value="peft_zoo", group="bakeoff.catalog")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    assert entries("methods")["lora-3"].origin == "package zoo"


STUDY = """
base_models: {name: mine, folder: ../bases/mine}
dataset: {name: notes, files: [notes.jsonl]}
data: {train: 2, validation: 1, test: 1}
methods: {full: 1e-4}
"""


def test_paths_in_a_study_file_are_relative_to_it_and_overrides_to_the_working_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from another folder, and once more from what is written into the results."""
    file = tmp_path / "studies" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(STUDY)
    read = study.load("../studies/mine.yaml")
    assert read.base_models[0].folder == str(tmp_path / "bases" / "mine")
    assert read.dataset[0].files == (str(tmp_path / "studies" / "notes.jsonl"),)
    other = study.load("../studies/mine.yaml", ["dataset={name: notes, files: [here.jsonl]}"])
    assert other.dataset[0].files == (str(tmp_path / "work" / "here.jsonl"),)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "study.yaml").write_text(study.written_out(read))
    monkeypatch.chdir(tmp_path)
    assert study.load("results/study.yaml") == read


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train=" + "[" * 3000], "override 'train=.*nested too deep"),
        (["train={a: " * 900], "override 'train=.*(nested too deep|not valid YAML)"),
        (["train.epochs=" + "9" * 5000], "override 'train.epochs=9+…': not a value: Exceeds the limit"),
        (["name=" + "菜" * 78], "name: a name has at most 100 bytes, got 234"),
        (["name=" + "x" * 300], "'name' is 'x+…; String should have at most 80 characters"),
        (["search={rates: 100000000}"], "'rates' is 100000000; it should be less than or equal to 100"),
    ],
)
def test_absurd_overrides_are_one_short_line(overrides: list[str], message: str) -> None:
    """Deep nesting, thousands of digits, a long name, a huge grid: told at once, and not at full length."""
    with pytest.raises(UserError, match=message) as caught:
        study.load("quickstart", overrides)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_a_study_of_too_many_runs_is_refused_unless_it_allows_them(tmp_path: Path) -> None:
    """Two methods with a rate each, 3,000 seeds and the untouched base: 6,001 runs.

    It is read all the same, as finished studies are: planning and running refuse it, before anything.
    """
    seeds = "seeds=" + str([*range(2000, 5000)])
    many = study.load("quickstart", [seeds])
    with pytest.raises(UserError, match="up to 6,001 runs, and max_runs is 2,000: raise it, or compare less"):
        plans.check(many)
    with Board(Console(quiet=True)) as board, pytest.raises(UserError, match="max_runs is 2,000"):
        bring_up_to_date(many, tmp_path, board)
    assert not list(tmp_path.iterdir())
    plans.check(study.load("quickstart", [seeds, "max_runs=6001"]))


@pytest.mark.parametrize(("strategy", "tries"), [("grid", 4), ("bracket", 4), ("halving", 6)])
def test_the_runs_of_a_search_are_counted(strategy: str, tries: int) -> None:
    """Four rates; halving has four short runs and two longer ones. For two methods and two tuning seeds."""
    search = f"search={{rates: 4, strategy: {strategy}}}"
    tuned = study.load("quickstart", ["methods=[full, lora-r16]", search, "tuning_seeds=[7, 8]"])
    assert tuned.most_runs == 1 + 2 * tries * 2 + 2 * len(tuned.seeds)


def test_absurd_study_files_are_one_line(tmp_path: Path) -> None:
    """An alias bomb (10^9 values), a file of 2 MB, a name of 5,000 characters, a folder."""
    file = tmp_path / "mine.yaml"
    file.write_text(BOMB)
    with pytest.raises(UserError, match="mine.yaml: more than 100,000 values once its aliases"):
        study.load(str(file))
    file.write_text("# " + "x" * 2**21)
    with pytest.raises(UserError, match="mine.yaml: larger than 1,048,576 bytes"):
        study.load(str(file))
    with pytest.raises(UserError, match="no study has a name of 5,000 characters"):
        study.load("x" * 5000)
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(UserError, match="folder.yaml is not a file"):
        study.load(str(tmp_path / "folder.yaml"))
