"""The page of findings: judged by every kept study that can, and honest about what was not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.design.findings import published_findings
from experiments.publishing import pages
from experiments.publishing.__main__ import main
from experiments.publishing.findings import headline
from experiments.publishing.findings import page as findings_page
from experiments.publishing.findings.headline import HEADLINE
from experiments.publishing.findings.judged import (
    Judged,
    decoding_words,
    judged,
    left_out,
    rates_words,
    status,
    status_words,
)
from experiments.publishing.findings.opening import opening
from experiments.publishing.kept import Kept
from tests.experiments.publishing.conftest import CONDITION
from toolkit.records import (
    Claim,
    ComparisonEvidence,
    DecodingEffect,
    Optimum,
    RatioEvidence,
)

GALLERY = Path(__file__).parents[3] / "figures" / "gallery"


def claim(name: str, judged_as: str, **evidence: object) -> Claim:
    """A judged finding, by one comparison of which ``evidence`` replaces fields."""
    fields = {
        "method": "lora-r16", "against": "full", "metric": "bits_per_byte", "expected": ("better",),
        "difference": 0.01, "low": 0.005, "high": 0.015, "verdict": "worse", "support": "contradicts",
    }  # fmt: skip
    one = ComparisonEvidence(**{**fields, **evidence})
    return Claim(**CONDITION, name=name, text=name, source="somebody", verdict=judged_as, comparisons=(one,))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "not run yet"),
        (["undecided"], "undecided"),
        (["undecided", "reproduced"], "reproduced"),
        (["contradicted", "contradicted"], "contradicted"),
        (["contradicted", "reproduced"], "it depends"),
    ],
)
def test_what_is_decided_anywhere_is_decided_unless_studies_disagree(verdicts, expected):
    """A study that cannot tell takes nothing back; two that disagree are not averaged."""
    entries = [Judged("a", claim("higher-bleu", verdict)) for verdict in verdicts]
    assert status(entries) == expected


def test_a_finding_that_one_of_two_studies_decides_is_said_to_be():
    """Two studies share documents and may share runs: one verdict of two is not written as that of both."""
    one, other = (
        Judged("a", claim("higher-bleu", "reproduced")),
        Judged("b", claim("higher-bleu", "undecided")),
    )
    assert status_words([one, other]) == "reproduced in 1 of 2 studies"
    assert status_words([one, other._replace(study="a")]) == "reproduced in 1 of 2 conditions"
    assert status_words([one]) == "reproduced"
    assert status_words([other]) == "undecided"
    assert status_words([]) == "not run yet"


def test_an_undecided_finding_tells_how_many_of_its_parts_agree():
    """Memory agrees, time is not known: undecided, but half of it is there."""
    ratio = RatioEvidence(
        what="peak_memory_bytes", method="lora-r16", against="full", expected_low=0.0, expected_high=0.9,
        value=0.75, low=0.65, high=0.85, support="supports",
    )  # fmt: skip
    unknown = ratio.model_copy(update={"what": "seconds_per_token", "value": None, "support": "undecided"})
    undecided = claim("memory-not-time", "undecided", support="undecided")
    both = undecided.model_copy(update={"comparisons": (), "ratios": (ratio, unknown)})
    assert status_words([Judged("a", both)]) == "undecided (1 of 2 parts agree)"
    assert status_words([Judged("a", undecided)]) == "undecided"


def test_an_expected_difference_that_is_none_here_is_said_to_be_equivalent():
    """A low rank as good as full fine-tuning does not contradict: a larger study may find it worse."""
    none = claim("too-little-rank-falls-off", "undecided", verdict="equivalent", support="undecided")
    assert status_words([Judged("a", none)]) == "undecided (equivalent here, which a larger study may not be)"


def test_a_finding_whose_runs_were_lost_was_run(kept):
    """All runs of a method diverged: undecided, with the reason; not *not run yet*."""
    published = next(one for one in published_findings() if one.name == "higher-bleu")
    lost = claim("higher-bleu", "undecided", verdict=None, reason="no evaluated run", support="undecided")
    concluded = kept.conclusions.model_copy(update={"claims": (lost,), "study": HEADLINE})
    entries = judged(published, {HEADLINE: concluded})
    assert status(entries) == "undecided"
    page = findings_page.page({HEADLINE: kept._replace(conclusions=concluded)}, {}, "")
    assert "lora-r16 against full, bits per byte: no evaluated run" in page


def test_a_refused_comparison_opens_with_its_reason(kept):
    """No seeds, no interval of dashes."""
    refused = {"verdict": "refused", "seeds": 0, "reason": "lora-r16 lost a seed"}
    cleared = dict.fromkeys(("difference", "low", "high", "p", "p_holm"))
    pairs = tuple(one.model_copy(update=refused | cleared) for one in kept.conclusions.comparisons)
    update = {"study": HEADLINE, "comparisons": pairs}
    words = opening({HEADLINE: kept._replace(conclusions=kept.conclusions.model_copy(update=update))})[0]
    assert "LoRA of rank 16 is not compared (lora-r16 lost a seed) on bits per byte with 180 recipes" in words
    assert "0 seeds" not in words


def test_a_study_without_the_methods_of_a_finding_says_nothing_about_it(kept):
    """A missing comparison and an unknown ratio are no evidence; one that is undecided is."""
    published = next(one for one in published_findings() if one.name == "higher-bleu")
    missing = claim("higher-bleu", "undecided", verdict=None, support="undecided")
    unknown = missing.model_copy(
        update={
            "comparisons": (),
            "ratios": (
                RatioEvidence(
                    what="optimum", method="lora-r16", against="full", expected_low=3.0,
                    expected_high=32.0, value=None, low=None, high=None, support="undecided",
                ),
            ),
        }
    )  # fmt: skip
    known = claim("higher-bleu", "undecided", verdict="undecided", support="undecided")
    studies = {
        name: kept.conclusions.model_copy(update={"claims": (one,)})
        for name, one in (("a", missing), ("b", unknown), ("c", known))
    }
    assert [entry.study for entry in judged(published, studies)] == ["c"]


def test_variants_that_a_study_does_not_have_are_named():
    """A finding about five is judged on two: the other three are told."""
    published = next(one for one in published_findings() if one.name == "variants-peak-alike")
    evidence = {"against": "lora-r16", "metric": "content_bits_per_byte"}
    one = claim("variants-peak-alike", "reproduced", method="dora", **evidence)
    two = claim("variants-peak-alike", "reproduced", method="rslora", **evidence).comparisons
    both = one.model_copy(update={"comparisons": (*one.comparisons, *two)})
    assert left_out(published, both) == ["pissa", "olora", "lora-plus"]


def test_the_page_opens_with_the_answer_in_three_sentences(kept):
    """What to use, and the verdict; costs at each of three seeds; the board has not been run.

    3.3 GB of 4.6 GB are 0.72, 60 of 70 s 0.86, 19 MB of 540 MB 0.035.
    """
    quality, cost, others = opening({HEADLINE: kept})
    base = kept.conclusions.conditions[0].base_model
    assert quality == (
        f"**Use `lora-r16` for these recipes.** Against full fine-tuning of `{base}`, each tuned "
        "over the same number of learning rates and with 3 seeds, LoRA of rank 16 is equivalent on bits per "
        "byte with 180 recipes."
    )
    assert re.fullmatch(
        r"LoRA takes 0\.72 of the peak memory, 0\.86 of the training time \(CPU: .*\) and 0\.035 of the "
        r"saved size with 180 recipes\.",
        cost,
    )
    assert "has not been run" in others


def test_the_table_has_a_column_per_size_with_what_the_sentences_leave_out(kept):
    """Difference, interval, margin and costs of both sides; with 800 recipes LoRA is worse, costs unknown."""
    (pair,) = kept.conclusions.comparisons
    apart = {"verdict": "worse", "difference": 0.02, "low": 0.01, "high": 0.03}
    worse = pair.model_copy(update={"train_size": 800, **apart})
    more = tuple(
        cell.model_copy(update={"train_size": 800, "run_id": "gone"}) for cell in kept.conclusions.cells
    )
    changed = {"comparisons": (pair, worse), "cells": (*kept.conclusions.cells, *more)}
    both = kept.conclusions.model_copy(update=changed)
    shown = headline.table(kept._replace(conclusions=both))
    assert shown is not None
    assert shown.header == ("", "180 recipes", "800 recipes")
    rows = {row[0]: row[1:] for row in shown.rows}
    assert rows["bits per byte (lower is better): lora-r16 − full"][1].endswith("margin 0.008): worse")
    assert rows["recommended"][1] == rows["peak memory: lora-r16 / full"][1] == "–"
    assert rows["recommended"][0] == "lora-r16"
    label = "bits per byte (lower is better): lora-r16 − full"
    assert rows[label][0] == "−0.0012 (−0.0050 to +0.0026, margin 0.0080): equivalent"
    assert rows["peak memory: lora-r16 / full"][0] == "3.30 GB / 4.60 GB = 0.72"
    assert rows["seeds per method, test documents"][0].startswith("3, ")
    assert rows["tuned learning rate: lora-r16, full"][0] == "0.001, 0.0001"
    page = findings_page.page({HEADLINE: kept}, {}, "<!-- by hand: sure -->\nHardly.\n<!-- end -->")
    assert "The main study in full (`bakeoff run" in page
    assert "<!-- by hand: sure -->\nHardly.\n<!-- end -->" in page
    assert headline.table(kept._replace(conclusions=both.model_copy(update={"comparisons": ()}))) is None


def test_other_studies_choose_alone(kept):
    """The headline tells what to use; what another study would choose is told to be its own."""
    page = findings_page.page({HEADLINE: kept, "a": kept}, {}, "")
    assert "Alone, use lora-r16: its" in page
    assert "\n\nUse lora-r16: its" in page


def test_a_part_of_a_study_names_what_is_missing(kept):
    """`rank-sweep` without most of its ranks: below its answer, and under what is not kept."""
    part = kept.conclusions.model_copy(update={"study": "rank-sweep"})
    names = ("methods=[full, lora-r16]",)
    text = findings_page.page({"rank-sweep": kept._replace(conclusions=part, overrides=names)}, {}, "")
    assert "Not run yet: `lora-r1`, `lora-r4`, `lora-r64` and `lora-r256`." in text
    assert "- `bakeoff run rank-sweep`: still without `lora-r1`, `lora-r4`, `lora-r64` and" in text


def test_the_opening_tells_both_ways_of_counting_bits(kept):
    """A study that judges the content as well: two verdicts, the content's first; with one, together."""
    (whole,) = kept.conclusions.comparisons
    label = {"metric": "content_bits_per_byte", "label": "bits per byte of the content"}
    pairs = (whole.model_copy(update={"verdict": "undecided"}), whole.model_copy(update=label))
    both = kept.conclusions.model_copy(update={"comparisons": pairs})
    quality, _, _ = opening({HEADLINE: Kept(both, kept.runs)})
    one = "equivalent on bits per byte of the content and undecided on bits per byte with 180 recipes."
    assert quality.endswith(f"LoRA of rank 16 is {one}")
    alike = both.model_copy(update={"comparisons": (whole, pairs[1])})
    quality, _, _ = opening({HEADLINE: Kept(alike, kept.runs)})
    assert "equivalent on bits per byte of the content and bits per byte with" in quality


def test_two_sizes_with_different_methods_are_told_by_size(kept):
    """LoRA with 180 recipes, full fine-tuning with 800: each with its size."""
    (recommended,) = kept.conclusions.recommendations
    alone = {"candidates": (recommended.candidates[0],), "method": "full", "status": "best"}
    more = recommended.model_copy(update={**alone, "train_size": 800})
    both = kept.conclusions.model_copy(update={"recommendations": (recommended, more)})
    text = opening({HEADLINE: kept._replace(conclusions=both)})[0]
    assert text.startswith("**Use `lora-r16` with 180 recipes and `full` with 800 recipes.**")


def test_the_opening_says_no_more_than_is_known(kept):
    """An untuned method; times that were taken beside other work; records that do not compare the two."""
    cells = tuple(
        cell.model_copy(update={"tuned": False}) if cell.method == "full" else cell
        for cell in kept.conclusions.cells
    )
    busy = {
        run: record.model_copy(update={"costs": record.costs.model_copy(update={"cores_of_others": 1.0})})
        for run, record in kept.runs.items()
    }
    untuned = Kept(kept.conclusions.model_copy(update={"cells": cells}), busy)
    quality, cost, _ = opening({HEADLINE: untuned})
    assert "not both tuned and with 3 seeds, LoRA" in quality
    assert "training time" not in cost
    assert cost.endswith(
        "Training time is left out if not every run is known to have had the machine to itself."
    )
    alone = Kept(kept.conclusions.model_copy(update={"comparisons": ()}), busy)
    assert "do not compare LoRA with full fine-tuning" in opening({HEADLINE: alone})[0]


def test_every_finding_is_on_the_page_with_its_verdict_and_command(kept):
    """One that was judged shows numbers and the command; the others name the studies that judge them."""
    update = {"claims": (claim("higher-bleu", "contradicted"),), "study": HEADLINE}
    concluded = kept.conclusions.model_copy(update=update)
    text = findings_page.page({HEADLINE: kept._replace(conclusions=concluded)}, {}, "")
    assert len(published_findings()) >= 8
    for published in published_findings():
        assert f"### {published.text}" in text
    where = "tiny, 180 training documents"
    assert f"- contradicted by `bakeoff run {HEADLINE}` ({where}): lora-r16 against full" in text
    assert "Not run yet; judged by `bakeoff run learning-rates`" in text
    assert "- `bakeoff run board`:" in text
    assert f"- `bakeoff run {HEADLINE}`:" not in text
    assert "Use lora-r16: its bits per byte is within the margin of the best, full," in text
    assert f"`bakeoff run {HEADLINE}`: 7 runs, 0.1 hours of training and validation on" in text


def test_decodings_and_methods_are_set_against_each_other(kept):
    """9.8 less 7.2 BLEU over decodings, 0.4 over methods; the other prompt's texts are not repeated."""
    effect = DecodingEffect(
        **CONDITION, prompt_mode="title", metric="bleu", unit="BLEU", label="BLEU",
        methods=("full", "lora-r16"), decodings=("greedy", "t0.8", "t1.5"), seeds=3, documents=24,
        over_decodings=2.6, over_methods=0.4, share_decodings=0.81, share_methods=0.04, share_both=0.05,
        share_noise=0.1,
    )  # fmt: skip
    other = effect.model_copy(update={"prompt_mode": "ingredients"})
    unknown = effect.model_copy(update={"over_decodings": None})
    concluded = kept.conclusions.model_copy(update={"decoding": (effect, other, unknown)})
    assert decoding_words(concluded) == [
        "BLEU: the 3 decodings lie 2.60 apart within a method, the 2 methods 0.40 within a decoding "
        "(of all differences 81 % decoding, 4 % method, 5 % both together, 10 % noise)"
    ]
    assert "the 3 decodings lie 2.60 apart" in findings_page.page(
        {"temperatures": kept._replace(conclusions=concluded)}, {}, ""
    )


def test_the_ratio_of_best_rates_leads_the_study_that_is_about_it(kept):
    """With its interval, or without one and why; nothing of it with one tuning seed."""
    theirs = Optimum(**CONDITION, method="full", learning_rate=1e-4, low=None, high=None, seeds=3, outside=0)
    ours = Optimum(
        **CONDITION, method="lora-r16", learning_rate=1.1e-3, low=None, high=None, seeds=3, outside=0,
        ratio=11.0, ratio_low=6.0, ratio_high=19.0, ratio_seeds=3,
    )  # fmt: skip

    def words(one: Optimum) -> list[str]:
        concluded = kept.conclusions.model_copy(update={"optima": (theirs, one), "baseline": "full"})
        return rates_words(concluded, concluded.cells[0].condition)

    assert words(ours) == [
        "The best learning rate of lora-r16 is 11 times that of full (0.0011 against 0.0001, 95 % interval 6 "
        "to 19; 3 of 3 tuning seeds, on the same validation documents)."
    ]
    censored = {"seeds": 2, "outside": 1, "ratio_low": None, "ratio_high": None, "ratio_seeds": 2}
    (text,) = words(ours.model_copy(update=censored))
    assert "no interval: 1 seed has no optimum between the rates tried; 2 of 3 tuning seeds" in text
    assert words(ours.model_copy(update={"seeds": 1, "ratio_seeds": 1})) == []


def test_one_seed_recommends_nothing_on_the_page(kept):
    """A study of learning rates confirms with one seed, which is not the point there."""
    one_seed = tuple(one.model_copy(update={"seeds": 1}) for one in kept.conclusions.estimates)
    estimates = tuple(one.model_copy(update=CONDITION) for one in one_seed)
    concluded = kept.conclusions.model_copy(update={"estimates": estimates})
    text = findings_page.page({"learning-rates": kept._replace(conclusions=concluded)}, {}, "")
    assert "Use lora-r16" not in text


def test_what_is_written_by_hand_stays(kept):
    """The page is written over and over; that part of it is taken along."""
    first = findings_page.page({}, {}, "")
    mark = "<!-- by hand: learnt -->\n"
    edited = first.replace(f"{mark}\n", f"{mark}LoRA likes soup.\n")
    assert edited != first
    assert "LoRA likes soup." in findings_page.page({HEADLINE: kept}, {}, edited)


def test_one_command_keeps_a_study_draws_it_and_writes_the_pages(done, tmp_path, capsys):
    """From records to docs/: the archive, the report, both pages, and a picture that is there."""
    places = ["--results", str(tmp_path / "results"), "--docs", str(tmp_path / "docs")]
    assert main(["small", "--root", str(done[0]), *places]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].rpartition("/")[2] for line in lines] == [
        "records.bakeoff.zip.xz",
        "report",
        "board.md",
        "findings.md",
    ]
    text = (tmp_path / "docs" / "findings.md").read_text()
    assert "](evidence/small.png)" in text
    assert (tmp_path / "docs" / "evidence" / "small.png").stat().st_size > 1000


def test_a_study_that_was_not_run_is_one_line(tmp_path, capsys):
    """Exit code 2, and nothing is written."""
    places = ["--results", str(tmp_path / "results"), "--docs", str(tmp_path / "docs")]
    assert main(["small", *places]) == 2
    assert "study 'small' is not kept" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_figures_that_pages_show_exist():
    """Each study is one of ours, and each figure one that the gallery or its sweeps can draw."""
    names = {"train-size-sweep", "epochs-sweep", "capacity-sweep"}
    named = [
        text for file in GALLERY.glob("*.py") for text in re.findall(r'name="([\w-]+)"', file.read_text())
    ]
    for study, figure in [*pages.SHOWN.items(), (HEADLINE, pages.USUAL)]:
        assert study in findings_page.bundled()
        assert figure in names | set(named)


def test_the_pages_in_docs_are_those_of_the_kept_records():
    """`make results` would change nothing."""
    for name, text in pages.texts().items():
        assert (pages.DOCS / name).read_text(encoding="utf-8") == text, f"docs/{name}: run `make results`"
