"""The report is whole, self-contained, and safe with whatever a model wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace as N

import pandas as pd
import pytest

from figures.gallery import every_figure
from figures.report.checklists import AUTHORS, checklists, installation
from figures.report.page import build
from figures.report.sections import facts
from figures.report.texts import disagreements, marked, section_markers
from figures.style import style_of
from figures.tidy.load import StudyTables, load
from tests.figures.conftest import ONE_FORMAT
from tests.figures.studies import hostile
from toolkit.errors import UserError
from toolkit.records import Candidate, Conclusions, Recommendation

Make = Callable[..., tuple[Path, Path]]
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects text, links and tags that were not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a tag; note ids and whatever could make a request."""
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        """Close a tag, which has to be the last opened."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        """Text."""
        self.words.append(data)


def page(path: Path) -> Page:
    """The parsed report."""
    parsed = Page()
    parsed.feed(path.read_text(encoding="utf-8"))
    assert parsed.open == []
    return parsed


def test_a_report_is_figures_tables_and_two_texts(report: Path) -> None:
    """Seven figures in four formats, eight tables in three forms, report.html and report.md."""
    folder = report.parent
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert len(found) == 7 * 4 + 8 * 3 + 2
    assert {"figures/differences.pdf", "tables/verdicts.tex", "report.md", "report.html"} <= set(found)
    assert [p.name for p in folder.parent.iterdir() if p.name.startswith(".report")] == []


def test_the_page_asks_nobody_for_anything(report: Path) -> None:
    """Every link is a place in the page or a data URI; every id is there once."""
    parsed = page(report)
    assert len(parsed.links) > 20
    assert [link for link in parsed.links if not link.startswith(("#", "data:"))] == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)


def test_the_page_opens_with_the_answer(report: Path) -> None:
    """The first sentence after the question is the verdict on the first headline metric."""
    words = " ".join(page(report).words)
    question = words.index("Is LoRA as good as full fine-tuning?")
    assert words.index("On bits per byte, it is undecided", question) < words.index("Verdicts", question)


def test_what_a_model_wrote_is_text_and_nothing_else(report: Path) -> None:
    """The base wrote `<b>dishes</b>`, the reference holds `<gently>`."""
    text = report.read_text(encoding="utf-8")
    assert "<b>dishes" not in text
    assert "&lt;b&gt;dishes&lt;/b&gt;" in text
    assert "Whisk &lt;gently&gt;" in text


def test_base_methods_and_reference_stand_side_by_side(report: Path) -> None:
    """Six titles, each with base, full, lora and the reference; lora's two worst texts are elsewhere."""
    text = report.read_text(encoding="utf-8")
    assert len(re.findall(r'<div class="texts">', text)) == 6
    assert len(re.findall(r"<h4>reference ", text)) == 6
    assert len(re.findall(r"<h4>lora-r16 ", text)) == 6 + 2


def test_markdown_links_its_figures_and_fences_fences(report: Path) -> None:
    """Every linked file exists; a generation that holds three backticks gets four around it."""
    path = report.with_name("report.md")
    text = path.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert len(linked) == 21
    assert all((path.parent / name).is_file() for name in linked)
    assert "````text" in text


@pytest.mark.parametrize(
    ("formats", "links", "words"),
    [
        ("svg", ["svg", "csv"], "as SVG in"),
        ("png,pdf", ["png", "pdf", "csv"], "as PNG and PDF in"),
        ("pdf", ["pdf", "csv"], "as PDF in"),
    ],
)
def test_pages_link_the_files_that_were_asked_for(
    formats: str, links: list[str], words: str, make_study: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One figure: an image if PNG or SVG is written, a link to PDF if it is, and always the CSV."""
    monkeypatch.setattr("figures.gallery.draw.FIGURES", (every_figure.sections,))
    path = build(*make_study(), style=style_of(formats=formats))
    linked = re.findall(r"\]\(([^)]+)\)", path.with_name("report.md").read_text(encoding="utf-8"))
    assert linked == [f"figures/sections.{suffix}" for suffix in links]
    assert all((path.parent / name).is_file() for name in linked)
    assert words in path.read_text(encoding="utf-8")


def test_a_figure_that_refuses_says_why_in_its_place(make_study: Make) -> None:
    """Costs of two devices: the report is made, and two of its figures are reasons."""
    folder, root = make_study(devices={"lora-r16": "a GPU"})
    path = build(folder, root, style=ONE_FORMAT)
    text = path.read_text(encoding="utf-8")
    assert text.count("not drawn") == 2
    assert "more than one device" in text
    assert not (path.parent / "figures" / "costs.svg").exists()


def test_costs_of_the_device_that_most_methods_share_are_drawn(make_study: Make) -> None:
    """DoRA ran on a GPU: two methods' costs are drawn, and what is left out is told; the table has all."""
    folder, root = make_study(methods=("full", "lora-r16", "dora"), devices={"dora": "a GPU"})
    path = build(folder, root, style=ONE_FORMAT)
    text = path.with_name("report.md").read_text(encoding="utf-8")
    assert "not drawn" not in text
    assert text.count("measured on another, and left out: dora (1 run).") == 2
    drawn = pd.read_csv(path.parent / "figures" / "costs.csv")
    priced = drawn[drawn["train_seconds"].notna()]
    assert set(priced["method"]) == {"full", "lora-r16"}
    assert "| a GPU" in text


def test_the_same_records_give_the_same_bytes_wherever_they_lie(report: Path, make_study: Make) -> None:
    """Another root, with a file of an earlier report in the way: 54 files, equal and no more."""
    folder, root = make_study()
    (folder / "report").mkdir()
    (folder / "report" / "stale.pdf").write_text("old")
    sums = [
        {p.relative_to(there): p.read_bytes() for p in there.rglob("*") if p.is_file()}
        for there in (report.parent, build(folder, root).parent)
    ]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 54


def test_a_refused_study_leaves_the_old_report_alone(make_study: Make) -> None:
    """Mixed test parts: no half-written output."""
    folder, root = make_study(tests={"lora-r16": "ffff"})
    with pytest.raises(UserError):
        build(folder, root)
    assert not (folder / "report").exists()


def test_a_folder_that_cannot_be_written_is_named(make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is read-only."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    folder, root = make_study()
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(UserError, match=r"cannot write .*report: Read-only file system. Choose .* --root"):
        build(folder, root)


def test_nested_facts_become_one_line_a_branch() -> None:
    """Numbers get their thousands, what is missing is a dash, texts of a list stand below each other."""
    value = {
        "rows": 3129,
        "left_out": None,
        "sizes": {"train": 200, "test": 48},
        "leak": {"test": {"hits": [1, 2]}},
    }
    assert facts({**value, "samples": ["a", "b"]}) == [
        ("rows", "3,129"),
        ("left out", "–"),
        ("sizes", "train 200; test 48"),
        ("leak: test: hits", "1, 2"),
        ("samples", "a\nb"),
    ]


def test_the_data_report_is_shown_and_its_long_facts_are_folded_away(report: Path) -> None:
    """Sizes on one line; three samples of 81 characters and more are a block that opens."""
    text = report.read_text(encoding="utf-8")
    assert "train 200; validation 40; test 40" in text
    assert "<details><summary>first training documents</summary>" in text
    assert "Dish 2 of &lt;many&gt;" in text


def test_markers_are_those_that_nearly_all_references_have() -> None:
    """RECIPE: opens ten of ten, NOTE: one of ten; a bracket that is no word is none."""
    references = [f"RECIPE: {number}\nbody\n[END]" for number in range(9)] + ["RECIPE: 9\nNOTE: x\n[END]"]
    assert section_markers(references) == {"RECIPE:", "[END]"}


def test_a_text_is_escaped_and_its_sections_and_faults_are_marked() -> None:
    """The passage that a check quotes, between other people's HTML."""
    html = marked("RECIPE: <b>\nso on so on\n[END]", {"RECIPE:", "[END]"}, {"loop": "“so on” 2 times"})
    assert html == (
        '<mark class="section">RECIPE:</mark> &lt;b&gt;\n<mark class="fault">so on</mark> '
        '<mark class="fault">so on</mark>\n<mark class="section">[END]</mark>'
    )
    assert "6000 more characters" in marked("x" * 10_000, set())


def test_methods_disagree_where_one_passes_and_another_fails(tmp_path: Path) -> None:
    """Only the base fails the fourth text (one check) and the sixth (two): the sixth comes first."""
    found = disagreements(load(*hostile(tmp_path)), "here")
    assert [(one["order"], one["difference"]) for one in found["documents"]] == [(5, 2), (3, 1)]
    assert [text["method"] for text in found["documents"][0]["texts"]][-1] == "base"


def test_where_all_fail_alike_nobody_disagrees(make_study: Make) -> None:
    """Every method fails the same two texts."""
    assert disagreements(load(*make_study()), "here")["all"] == 0


def test_every_answer_of_a_checklist_names_its_field_or_leaves_it_to_the_authors(make_study: Make) -> None:
    """Two lists; hardware and licences are read off the records."""
    lists = checklists(load(*make_study(seeds=3, rates=3, tuned=True)))
    answers = [answer for found in lists.values() for answer in found]
    assert len(lists) == 2
    assert all((answer.field == "") == (answer.answer == AUTHORS) for answer in answers)
    text = " ".join(answer.answer for answer in answers)
    assert "lora-r16 0.001" in text
    assert "3 rates tried" in text
    assert "not searched for" not in text
    assert "CC BY-SA 4.0" in text
    assert "torch==2.13.0" in text


def test_a_checklist_counts_the_test_documents_that_a_study_has_grown_to(make_study: Make) -> None:
    """Its runs were specified with 10; the data report, as everything else in the report, says 25."""
    tables = load(*make_study(seeds=3))
    (name,) = {run.spec.dataset.name for run in tables.runs.values() if run.spec.dataset}
    grown = N(sizes=N(validation=7, test=25))
    study = replace(tables, conclusions=tables.conclusions.model_copy(update={"data": {name: grown}}))
    answers = {one.question: one.answer for one in checklists(study)["ACL responsible NLP checklist"]}
    assert "7 validation, 25 test documents" in answers["B6. Statistics of the data: examples, splits"]


def test_versions_are_installed_as_an_index_has_them(make_study: Make) -> None:
    """torch 2.13.0+cpu is 2.13.0 there; of runs with two versions of one package no command is given."""
    study = load(*make_study(seeds=2))

    def with_versions(*versions: dict[str, str]) -> StudyTables:
        runs = {
            run_id: run.model_copy(update={"environment": {**run.environment, "versions": given}})
            for (run_id, run), given in zip(study.runs.items(), versions * len(study.runs), strict=False)
        }
        return replace(study, runs=runs)

    one = {"torch": "2.13.0+cpu", "bakeoff": "0.1.0", "python": "3.11.9"}
    assert installation(with_versions(one)) == "pip install bakeoff==0.1.0 torch==2.13.0"
    assert installation(with_versions(one, {**one, "torch": "2.14.0"})) is None
    assert installation(with_versions({})) is None


def test_what_nobody_measured_is_no_zero_in_a_checklist(make_study: Make) -> None:
    """Records without costs and device are worded; on a GPU its memory counts; untrained, there is none."""
    study = load(*make_study())
    question = "Experiments compute resources"

    def with_costs(**costs: object) -> str:
        runs = {
            name: run.model_copy(
                update={"costs": run.costs.model_copy(update=costs), "environment": {"device": None}}
            )
            for name, run in study.runs.items()
        }
        found = checklists(replace(study, runs=runs))["NeurIPS paper checklist"]
        return {one.question: one.answer for one in found}[question]

    nothing = dict.fromkeys(("train_seconds", "peak_memory_bytes", "total_parameters"))
    assert with_costs(**nothing) == (
        "2 training runs, time not measured, memory not measured, number of parameters not recorded, "
        "on an unrecorded device."
    )
    assert "peak memory allocated on the GPU 2.00 GB" in with_costs(cuda_allocated_bytes=2_000_000_000)
    empty = checklists(replace(study, runs={}))["NeurIPS paper checklist"]
    assert {one.question: one.answer for one in empty}[question] == "No run was trained here."


def test_a_checklist_words_the_usual_number_of_seeds_and_names_the_others(make_study: Make) -> None:
    """Two of three methods have 3 seeds; ia3 has one. With one number there is no span."""
    study = load(*make_study(methods=("full", "lora-r16", "ia3"), seeds=3))
    question = "C3. Descriptive statistics: error bars, single run or several"

    def answer(tables: StudyTables) -> str:
        return {one.question: one.answer for one in checklists(tables)["ACL responsible NLP checklist"]}[
            question
        ]

    rest = "p-values are Holm-corrected."
    assert answer(study) == f"95 % intervals over seeds and documents; 3 seeds; {rest}"
    estimates = study.estimates.copy()
    estimates.loc[estimates["method"] == "ia3", "seeds"] = 1
    mixed = answer(replace(study, estimates=estimates))
    exception = "3, but 1 for ia3 (documents alone)"
    assert mixed == f"95 % intervals over seeds and documents; 1 to 3 seeds: {exception}; {rest}"


def test_a_recommendation_is_in_both_texts(make_study: Make) -> None:
    """LoRA needs 1.2 GB and full 2.5 GB; LoRA's interval lies within the margin, so it is recommended."""
    folder, root = make_study(tuned=True)
    assert "Which method to use" not in build(folder, root, style=ONE_FORMAT).read_text(encoding="utf-8")
    path = folder / "comparisons.json"
    conclusions = Conclusions.read(path)
    full = Candidate(method="full", relation="best", memory_bytes=2.5e9)
    lora = Candidate(method="lora-r16", relation="within_margin", difference=0.001, low=-0.002, high=0.004,
                     memory_bytes=1.2e9)  # fmt: skip
    one = Recommendation(
        **conclusions.conditions[0]._asdict(), metric="bits_per_byte", unit="bits per byte", by="memory",
        best="full", method="lora-r16", status="equivalent", candidates=(full, lora),
    )  # fmt: skip
    conclusions.model_copy(update={"recommendations": (one,)}).write(path)
    html = build(folder, root, style=ONE_FORMAT)
    for text in (html.read_text(encoding="utf-8"), html.with_name("report.md").read_text(encoding="utf-8")):
        assert "Which method to use" in text
        assert "Use lora-r16: its bits per byte is within the margin of the best, full" in text
        assert "memory 1.20 GB, against 2.50 GB for full" in text
        assert "bakeoff recommend made-up --by time" in text
    raw = [cell.model_copy(update={"tuned": False}) for cell in conclusions.cells]
    conclusions.model_copy(update={"recommendations": (one,), "cells": tuple(raw)}).write(path)
    text = build(folder, root, style=ONE_FORMAT).with_name("report.md").read_text(encoding="utf-8")
    assert "Use lora-r16 (untuned): its bits per byte" in text
