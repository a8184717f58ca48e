"""Every line of Python that the README and the docs show about the door is run."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import bakeoff

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/python.md", "docs/tutorials/paper-figure.md", "docs/tutorials/foreign-adapter.md"]
RECIPE = "RECIPE: Rice\nINGREDIENTS: rice, water\nDIRECTIONS: Boil the rice in the water until soft.\n[END]"


def lines(page: str) -> str:
    """All Python of a page, as one program."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", PAGES)
def test_the_lines_of_a_page_run(page, result, door_root, tmp_path, monkeypatch):
    """With lists of texts, an Axes, and a study that has run in place of the quickstart."""
    program = lines(page)
    assert "bakeoff." in program

    def study(name: str, **overrides: object) -> bakeoff.Study:
        shown = found(name, **overrides)  # the names and values are checked; what runs is small
        monkeypatch.setattr(bakeoff.Study, "run", lambda self, root=".", **options: result)
        return shown

    found, load = bakeoff.study, bakeoff.load
    monkeypatch.setattr(bakeoff, "study", study)
    monkeypatch.setattr(bakeoff, "load", lambda folder: load(door_root / "results" / "small"))
    monkeypatch.chdir(tmp_path)
    references = ["Boil the rice in salted water until soft.", "Fry the onion and the garlic in butter."] * 4
    names = {
        "references": references,
        "predictions": [text.replace("the", "some") for text in references],
        "ours": references,
        "theirs": [text[:20] for text in references],
        "recipes": [RECIPE] * 2,
        "ax": plt.subplots()[1],
    }
    exec(compile(program, page, "exec"), names)  # noqa: S102 - the repository's own pages
    plt.close("all")


def test_plain_values_are_as_shown():
    """A score prints its value, interval and signature on one line; two matches are too few for one."""
    references = [f"{letter} b c d e f g h i" for letter in "axyz"]
    text = str(bakeoff.score(["a b c d e f g", *references[1:]], references, "bleu"))
    assert re.match(r"bleu 94\.\d\d \[0, 100\] \(4 documents\) nrefs:1\|", text)
    text = str(bakeoff.score(["a b c d", "e f g h"], ["a b c d", "e f g h"], "bleu"))
    assert text.startswith("bleu 100 (2 documents) nrefs:1|")
