"""Data and adapters that cannot be used: one clear line before anything runs, or a counted refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.cli import main

GOOD = [
    [("user", f"Say the numbers {n}, {n * 3} and {n * n}."), ("assistant", f"{n} {n * 3} {n * n}")]
    for n in range(2, 14)
]
BAD = [
    [("assistant", "An answer"), ("user", "to nothing")],
    [("user", "A question"), ("assistant", "  ")],
    [("assistant", "Another answer"), ("user", "to nothing")],
]
PLAIN = "{name: c, columns: messages, template: plain}"
COMMANDS = ("data", "plan", "run")
DROPS = "{% for turn in messages %}{% if turn.role == 'user' %}Q: {{ turn.content }}\n{% endif %}{% endfor %}"
RAISES = "{{ raise_exception('no user turns, please') }}"


@pytest.fixture
def study(tmp_path, tiny_gpt2):
    """A function that writes a study of one method on these conversations; its path."""

    def write(turns: list, form: str = PLAIN) -> Path:
        rows = [{"messages": [{"role": role, "content": text} for role, text in one]} for one in turns]
        (tmp_path / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        path = tmp_path / "chats.yaml"
        path.write_text(
            f"base_models: {{name: tiny, folder: '{tiny_gpt2}'}}\n"
            f"dataset: {{name: chats, files: [chats.jsonl], format: {form}}}\n"
            f"data: {{train: 6, validation: 2, test: 2, max_characters: 10000}}\n"
            f"methods: {{full: [1e-3]}}\n",
            "utf-8",
        )
        return path

    return write


@pytest.fixture
def called(tmp_path, capsys):
    """A function that calls a command in a root of its own: exit code, output and errors."""

    def call(*arguments: object) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), "--root", str(tmp_path / "root")])
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    return call


def refused(called, command: str, path: Path) -> str:
    """The one line with which a command refuses a study. No run was begun."""
    code, _, errors = called(command, path)
    lines = [line for line in errors.splitlines() if line.startswith("bakeoff: ")]
    assert (code, len(lines)) == (2, 1)
    assert not list((path.parent / "root").glob("runs/tiny*"))
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_tokenizer_without_a_template(study, called, command):
    """The tiny GPT-2's: the line names what to write instead."""
    line = refused(called, command, study(GOOD, "chat"))
    assert "the base model's tokenizer has no chat template. Name one in the format, `template:`" in line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (DROPS, "leaves out the answer '"),
        (RAISES, "refuses a conversation of user, assistant: no user"),
    ],
)
def test_a_template_that_drops_the_answer_or_raises(study, called, tmp_path, command, template, problem):
    """By the first conversation of these roles, before a run begins."""
    (tmp_path / "own.jinja").write_text(template, "utf-8")
    line = refused(called, command, study(GOOD, "{name: c, columns: messages, template: own.jinja}"))
    assert problem in line
    assert "or name another one as `template` of the format" in line


def test_roles_out_of_order_and_empty_answers_are_counted(study, called):
    """Two and one of fifteen rows, with the first of each shown; twelve conversations are left."""
    code, out, _ = called("data", study([*GOOD, *BAD]), "--json")
    report = json.loads(out)["chats"]
    counts = {reason: refusal["count"] for reason, refusal in report["refused"].items()}
    assert code == 0
    assert report["documents"] == 12
    assert counts == {
        "an empty answer": 1,
        "roles out of order: after a system turn, user and assistant take turns": 2,
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_too_few_conversations_are_left_of_these(study, called, command):
    """Both reasons are in the line, with how many are left."""
    line = refused(called, command, study([*GOOD[:5], *BAD]))
    assert "has 5 documents in 8 rows (1 refused: an empty answer; 2 refused: roles out of order" in line


def test_lengths_are_those_of_the_rendered_conversation(study, called):
    """The plain template adds two words and some line ends; the JSON as stored has more tokens than that."""
    _, out, _ = called("data", study(GOOD), "--json")
    report = json.loads(out)["chats"]
    assert report["tokens"]["train"]["longest"] < report["characters"]["train"]["longest"] + 20


MIXED = (
    "{name: mixed, format: chat, mixture: ["
    "{weight: 1, dataset: {name: a, files: [chats.jsonl], format: chat}}, {weight: 1, dataset: wikibooks}]}"
)
BOTH = "[{name: a, files: [chats.jsonl], format: chat}, wikibooks]"


@pytest.mark.parametrize(
    ("dataset", "problem"),
    [
        (MIXED, "mixture: documents and conversations are two kinds of data: take one of them"),
        (BOTH, "conversations are two kinds of data, which are prompted differently: make a study of each"),
    ],
)
def test_two_kinds_of_data(study, called, dataset, problem):
    """Mixed in one data set, and as two data sets of one study."""
    code, _, errors = called("plan", study(GOOD), f"dataset={dataset}")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert problem in errors


def test_rows_of_another_kind_are_counted(study, called, tmp_path):
    """Two recipes among twelve conversations, in one file."""
    path = study(GOOD)
    with (tmp_path / "chats.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"title": "Pie", "ingredients": ["apples"], "directions": "Bake it."}\n' * 2)
    _, out, _ = called("data", path, "--json")
    report = json.loads(out)["chats"]
    assert (report["documents"], report["refused"]["no messages"]["count"]) == (12, 2)


def test_an_adapter_as_a_pickle(study, called, tmp_path):
    """Refused as the study is planned; the pickle is never opened."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "adapter_config.json").write_text("{}", "utf-8")
    (tmp_path / "theirs" / "adapter_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    code, _, errors = called("plan", study(GOOD), f"methods.theirs={{adapter: '{tmp_path / 'theirs'}'}}")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "A pickle can run code as it loads: save the weights as safetensors" in errors


@pytest.mark.slow
def test_an_answer_longer_than_the_context_fails_its_run_in_one_line(study, called):
    """All answers have over 256 tokens, which the tiny GPT-2 takes."""
    words = [" ".join(f"w{n * place}" for n in range(120)) for place in range(len(GOOD))]
    long = [[one[0], ("assistant", text)] for one, text in zip(GOOD, words, strict=True)]
    code, _, errors = called("run", study(long))
    (line,) = (line for line in errors.splitlines() if line.startswith("failed: full"))
    assert code == 1
    assert "longer than the 256 that this gpt2 takes: lower train.max_length" in line
