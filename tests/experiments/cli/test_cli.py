"""The command as a user meets it: help, lists, and every mistake told in one line with exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.cli.app import app, main
from experiments.cli.output import err, out, print_rows, show_bench

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


class Done(NamedTuple):
    """What a command that ended leaves."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def bakeoff(capsys, monkeypatch) -> Callable[..., Done]:
    """The command, run in this process: one of its own takes seconds to start."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")
    for console in (out, err):
        monkeypatch.setattr(console, "width", 200)

    def run(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def in_a_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it."""
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


COMMANDS = sorted(name for name in app if not name.startswith("-"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, bakeoff):
    """`--help` exits 0 and says what the command does."""
    assert len(COMMANDS) >= 6
    done = bakeoff(command, "--help")
    assert done.returncode == 0
    assert "Usage: bakeoff" in done.stdout
    assert len(done.stdout) > 200


def test_a_process_of_its_own_prints_and_exits_alike():
    """Help with 0 on standard output, a mistake with 2 and one line on standard error."""
    help_, mistake = in_a_process("run", "--help"), in_a_process("run", "quickstar")
    assert (help_.returncode, help_.stderr) == (0, "")
    assert "Usage: bakeoff run" in help_.stdout
    assert (mistake.returncode, mistake.stdout) == (2, "")
    assert mistake.stderr.startswith("bakeoff: unknown study 'quickstar'")
    assert len(mistake.stderr.strip().splitlines()) == 1


LEAVES = [
    command
    for name in COMMANDS
    for command in ([app[name][n] for n in app[name] if n[0] != "-"] or [app[name]])
]
"""Commands and, of those that are groups, the commands within."""


@pytest.mark.parametrize("command", LEAVES, ids=lambda command: command.name[0])
def test_every_parameter_has_help(command):
    """No argument or option is listed with its name and default alone."""
    arguments = command.assemble_argument_collection(parse_docstring=True)
    shown = [argument for argument in arguments if argument.show]
    assert shown
    assert [argument.name for argument in shown if not argument.parameter.help] == []


def test_help_loads_no_torch():
    """The whole of `bakeoff --help` runs without torch, transformers or matplotlib."""
    code = (
        "import sys\nfrom experiments.cli.app import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(', '.join({'torch', 'transformers', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


MISTAKES = {
    "no study": (["run"], "run: STUDY is missing: see `bakeoff run --help`"),
    "no repository": (["push", "some-run"], "push: REPOSITORY is missing"),
    "an unknown study": (["run", "quickstar"], "unknown study 'quickstar'. Did you mean 'quickstart'"),
    "an unknown key": (["run", "quickstart", "train.epoch=2"], "'epoch'. Did you mean 'epochs'"),
    "a wrong type": (["run", "quickstart", "train.epochs=two"], "'epochs' is 'two'"),
    "an unknown model": (
        ["run", "quickstart", "base_models=gpt3"],
        "unknown model 'gpt3'. Did you mean 'gpt2'",
    ),
    "an unknown data set": (["run", "quickstart", "dataset=wiki"], "unknown data set 'wiki'"),
    "an unknown method": (["run", "quickstart", "methods={lora: 1e-3}"], "unknown method 'lora'"),
    "an unknown metric": (
        ["run", "quickstart", "metrics=[blue]"],
        "unknown metric 'blue'. Did you mean 'bleu'",
    ),
    "an unknown margin": (
        ["run", "quickstart", "margins={blue: 1}"],
        "unknown metric 'blue'. Did you mean 'bleu'",
    ),
    "a part too large": (["run", "quickstart", "data.train=100000"], "too few"),
    "a base that the hub would have to give": (
        ["run", "quickstart", "base_models=distilgpt2"],
        "base_models=smollm2-135m-embedded",
    ),
    "no such file": (["run", "nowhere.yaml"], "cannot read nowhere.yaml"),
    "no results": (["report", "quickstart"], "`bakeoff run quickstart` makes them"),
    "no jobs": (["run", "quickstart", "--jobs", "0"], "--jobs 0"),
    "no title": (["generate"], "give at least one title"),
    "an unknown option": (["run", "quickstart", "--job", "2"], "--job"),
    "a missing data file": (
        ["run", "quickstart", "dataset={name: mine, files: [mine.csv]}"],
        "mine.csv",
    ),
    "an adapter type that peft lacks": (
        ["plan", "quickstart", "methods={mine: {peft: {peft_type: LORRA}, learning_rates: 1e-3}}"],
        "unknown peft_type 'LORRA'. Did you mean 'LORA'",
    ),
    "an option that its adapter lacks": (
        ["plan", "quickstart", "methods={mine: {peft: {peft_type: LORA, rr: 2}, learning_rates: 1e-3}}"],
        "unknown option of LORA in method mine",
    ),
    "an unknown list": (["catalog", "model"], "Did you mean 'models'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_exit_2(mistake, tmp_path, bakeoff):
    """No traceback, nothing half-written in results, and the text says what to do."""
    arguments, says = MISTAKES[mistake]
    done = (
        bakeoff(*arguments, "--root", str(tmp_path))
        if arguments[0] in ("run", "report")
        else bakeoff(*arguments)
    )
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_root_that_cannot_be_a_folder_is_told(tmp_path, bakeoff):
    """`--root` on a file: one line, exit 2."""
    file = tmp_path / "file"
    file.write_text("")
    done = bakeoff("run", "quickstart", "--root", str(file))
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "--root" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_the_hub_out_of_reach_names_the_embedded_data(bakeoff):
    """The headline study without a connection: one line that names what works here."""
    done = bakeoff("plan", "full-vs-lora")
    assert done.returncode == 2
    assert "wikibooks" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_catalog_and_plan_speak_json(tmp_path, bakeoff):
    """`--json` is one object; the plan of the quickstart is three runs, none done."""
    listed = json.loads(bakeoff("catalog", "--json").stdout)
    assert {"models", "datasets", "methods", "metrics", "studies"} <= listed.keys()
    detect = ["--detect", "bits_per_byte=0.5%"]
    planned = json.loads(bakeoff("plan", "quickstart", *detect, "--root", str(tmp_path), "--json").stdout)
    assert planned["detectable"][0]["metric"] == "bits_per_byte"
    assert planned["detect"][0]["change"]["documents"] > 48
    assert list(tmp_path.iterdir()) == []  # planning leaves nothing behind
    assert [(run["method"], run["done"]) for run in planned["runs"]] == [
        ("base", False),
        ("full", False),
        ("lora-r16", False),
    ]


def test_a_condition_is_named_once_above_its_rows(capsys):
    """Two rows of one, one of another: each is there once, and a line divides them."""
    sizes = ("50 documents", "50 documents", "100 documents")
    print_rows("audit", [{"condition": size, "check": f"check {n}"} for n, size in enumerate(sizes)])
    shown = capsys.readouterr().out
    assert [shown.count(text) for text in ("50 documents", "100 documents", "check")] == [1, 1, 4]
    assert shown.count("├") == 1


def test_the_points_of_a_bench_are_a_table_of_their_own(capsys):
    """The point that lacks a column has an empty cell; nothing is printed as a dictionary."""
    points = [{"method": "full", "speed": 3.5}, {"method": "dora", "speed": 2.5, "memory": 7}]
    assert show_bench({"name": "methods", "ratio": 1.4, "points": points}, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "{" not in shown
    assert all(word in shown for word in ("ratio", "1.4", "points", "memory", "dora", "2.5", "7"))
