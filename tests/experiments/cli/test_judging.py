"""`bakeoff judge` on files of other tools, as a user calls it."""

from __future__ import annotations

import json
import random

import pytest

from experiments.cli import main


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
