"""Published findings judged: reproduced, contradicted or undecided, by verdicts and ratios given by hand."""

from __future__ import annotations

import pytest

from eval.metrics import all_metrics
from experiments.analysis.claims.judge import judge, metric_of, pairs_of
from experiments.analysis.claims.ratios import UNKNOWN, Ratio, measured_ratio
from experiments.analysis.comparisons import KnownComparisons
from experiments.design.findings import Band, published_findings
from figures.wording.evidence import evidence_text
from tests.factories import RECIPE, small_run
from toolkit import config
from toolkit.records import Cell, Claim, Comparison, Condition, Costs, Optimum, RunRecord
from toolkit.specs import Conversation

HERE = Condition("b", "d", 100, 1.0)


def compared(verdict: str, pair, speaks_about: str = "methods") -> Comparison:
    """A comparison with that verdict; `better beyond` is beyond the margin."""
    return Comparison(
        **HERE._asdict(),
        method=pair.method,
        baseline=pair.against,
        metric=pair.metrics[0],
        direction="lower",
        difference=-0.01,
        low=-0.02,
        high=-0.005,
        p=0.01,
        p_holm=0.02,
        margin=0.008,
        verdict=verdict.removesuffix(" beyond"),
        beyond_margin=verdict.endswith(" beyond"),
        speaks_about=speaks_about,
        seeds=3,
        documents=48,
        unit="bits per byte",
        label="bits per byte of the content",
    )


def only(
    name: str, verdicts: dict[str, str], ratio: Ratio = UNKNOWN, lost: tuple[str, ...] = (), **more
) -> Claim:
    """The judgement of one finding; ``verdicts``: method -> verdict of its comparison, if there is one.

    ``lost``: methods of the study without an evaluated run.
    """
    about = more.pop("speaks_about", "methods")
    pairs = [pair for pair in pairs_of([name]) if pair.method in verdicts]
    given = {(HERE, pair): compared(verdicts[pair.method], pair, about) for pair in pairs}
    methods = {*verdicts, *lost, *(pair.against for pair in pairs_of([name]))}
    (claim,) = judge([name], [HERE], methods, given, lambda *_: ratio, **more)
    return claim


@pytest.mark.parametrize(
    ("verdict", "here"),
    [
        ("better", "reproduced"),
        ("equivalent", "undecided"),
        ("worse", "contradicted"),
        ("undecided", "undecided"),
        ("refused", "undecided"),
    ],
)
def test_a_finding_about_two_methods_follows_their_verdict(verdict, here):
    """All layers against attention: only *better* agrees, only *worse* contradicts, whatever the size."""
    claim = only("all-layers-beat-attention", {"lora-r16": verdict})
    assert claim.verdict == here
    (evidence,) = claim.comparisons
    assert (evidence.difference, evidence.low, evidence.high) == (-0.01, -0.02, -0.005)
    assert "lora-r16 against lora-attention, bits per byte of the content" in evidence_text(claim)


def test_what_the_study_lacks_is_said():
    """No LoRA of rank 256, no verdict."""
    claim = only("enough-rank-is-full", {})
    assert (claim.verdict, evidence_text(claim)) == (
        "undecided",
        "lora-r256 against full, bits per byte of the content: not in this study",
    )


def test_a_finding_about_several_is_judged_on_those_that_are_there():
    """Two variants of five: both equivalent reproduces it, one better beyond the margin contradicts it."""
    assert only("variants-peak-alike", {"dora": "equivalent", "pissa": "equivalent"}).verdict == "reproduced"
    beyond = only("variants-peak-alike", {"dora": "equivalent", "pissa": "better beyond"})
    assert beyond.verdict == "contradicted"
    assert only("variants-peak-alike", {"dora": "equivalent", "pissa": "better"}).verdict == "undecided"
    assert only("variants-peak-alike", {"dora": "equivalent", "pissa": "undecided"}).verdict == "undecided"


def test_a_method_that_was_lost_is_no_evidence_for_the_others():
    """DoRA diverged with every seed and PiSSA is equivalent: undecided, in words; a refused pair likewise."""
    claim = only("variants-peak-alike", {"pissa": "equivalent"}, lost=("dora",))
    assert claim.verdict == "undecided"
    assert "dora against lora-r16, bits per byte of the content: no evaluated run" in evidence_text(claim)
    assert only("variants-peak-alike", {"pissa": "equivalent", "dora": "refused"}).verdict == "undecided"


@pytest.mark.parametrize(
    ("weak", "words"),
    [
        ({"speaks_about": "checkpoints"}, "better, which judges nothing: one or two seeds"),
        ({"untuned": {(HERE, "lora-attention")}}, "better, which judges nothing: lora-attention untuned"),
        ({"untuned": {(Condition("other", "d"), "lora-r16")}}, "better"),
    ],
)
def test_one_or_two_seeds_and_untuned_methods_judge_nothing(weak, words):
    """*Better* would agree with all layers against attention; here it is shown, and the finding undecided."""
    claim = only("all-layers-beat-attention", {"lora-r16": "better"}, **weak)
    assert claim.verdict == ("reproduced" if words == "better" else "undecided")
    assert evidence_text(claim).endswith(words)


def test_a_comparison_concluded_the_other_way_round_is_taken_turned():
    """Attention against all layers: +0.02 (0.005 to 0.03), p .02 of its family; turned, they are better.

    The margin is that of the comparison by itself, 0.001: *better by more than the margin*.
    """
    (pair,) = pairs_of(["all-layers-beat-attention"])
    known = compared("worse", pair).model_copy(
        update={
            "method": pair.against, "baseline": pair.method, "difference": 0.02, "low": 0.005, "high": 0.03,
            "unseeded": "method",
        }
    )  # fmt: skip
    apart = compared("undecided", pair).model_copy(update={"margin": 0.001, "p": 0.9, "p_holm": None})
    one = KnownComparisons([known]).get(HERE, pair.method, pair.against, pair.metrics[0], lambda: apart)
    assert (one.method, one.baseline, one.unseeded) == (pair.method, pair.against, "baseline")
    assert (one.difference, one.low, one.high) == (-0.02, -0.03, -0.005)
    assert (one.verdict, one.p_holm, one.margin, one.beyond_margin) == ("better", 0.02, 0.001, True)
    assert (
        KnownComparisons([known]).get(HERE, pair.against, pair.method, pair.metrics[0], lambda: apart)
        is known
    )
    assert KnownComparisons([]).get(HERE, pair.method, pair.against, pair.metrics[0], lambda: apart) is None
    refusal = KnownComparisons([known.model_copy(update={"verdict": "refused"})])
    assert refusal.get(HERE, pair.method, pair.against, pair.metrics[0], lambda: apart).verdict == "refused"


@pytest.mark.parametrize(
    ("ratio", "here"),
    [
        (Ratio(9.0, 4.0, 20.0), "reproduced"),  # inside 3.2 to 32
        (Ratio(9.0, 2.0, 40.0), "undecided"),  # wider than the band
        (Ratio(1.2, 0.9, 1.6), "contradicted"),  # below it
        (Ratio(9.0, None, None), "undecided"),  # one seed
        (UNKNOWN, "undecided"),
    ],
)
def test_ten_times_the_rate_is_a_ratio_with_an_interval(ratio, here):
    """The whole interval inside half a decade about ten reproduces it, wholly outside contradicts it."""
    assert only("ten-times-the-rate", {}, ratio).verdict == here


def test_costs_are_paired_by_seed():
    """LoRA 2 and 3 GB, full 4 and 6 GB: ratio 0.5 twice. A seed of one method alone counts for none."""
    memory = {("full", 0): 4, ("full", 1): 6, ("lora-r16", 0): 2, ("lora-r16", 1): 3, ("lora-r16", 2): 99}
    cells, runs = [], {}
    for (method, seed), size in memory.items():
        spec = small_run(config.model("gpt2"), config.method(method), 1e-3, seed=seed)
        cells.append(
            Cell(
                **HERE._asdict(),
                method=method,
                learning_rate=1e-3,
                seed=seed,
                tuned=True,
                phase="confirm",
                run_id=spec.run_id,
                eval_digest=None,
                status="finished",
            )
        )
        runs[spec.run_id] = RunRecord(
            run_id=spec.run_id,
            spec=spec,
            status="finished",
            validation_bits_per_byte=1.0,
            data=None,
            costs=Costs(peak_memory_bytes=size),
            precision=None,
            environment={},
        )
    band = Band(what="peak_memory_bytes", method="lora-r16", against="full", low=0, high=0.9)
    *ratio, seeds, without = measured_ratio(band, cells, runs, [], "full")
    assert ratio == pytest.approx([0.5, 0.5, 0.5])
    assert (seeds, without) == (2, 0)
    slow = Band(what="seconds_per_token", method="lora-r16", against="full", low=0.8, high=1.25)
    assert measured_ratio(slow, cells, runs, [], "full") == UNKNOWN


@pytest.mark.parametrize(
    ("others", "ratio"),
    [
        (0.1, (0.5, None, None)),  # of two cores, one seed: 200 tokens per second against 100
        (0.9, (None, None, None)),  # other work had a core of one of them
        (None, (None, None, None)),  # nobody knows
    ],
)
def test_times_beside_other_work_give_no_ratio(others, ratio):
    """LoRA trains twice as fast; how busy the machine was is known for full fine-tuning."""
    cells, runs = [], {}
    for method, speed, taken in (("full", 100.0, 0.0), ("lora-r16", 200.0, others)):
        spec = small_run(config.model("gpt2"), config.method(method), 1e-3)
        costs = Costs(supervised_tokens_per_second=speed, cores_of_others=taken)
        cells.append(
            Cell(
                **HERE._asdict(), method=method, learning_rate=1e-3, seed=0, tuned=True, phase="confirm",
                run_id=spec.run_id, eval_digest=None, status="finished",
            )
        )  # fmt: skip
        runs[spec.run_id] = RunRecord(
            run_id=spec.run_id, spec=spec, status="finished", validation_bits_per_byte=1.0, data=None,
            costs=costs, precision=None, environment={"cores": 2, "threads": 2},
        )  # fmt: skip
    band = Band(what="seconds_per_token", method="lora-r16", against="full", low=0.8, high=1.25)
    assert measured_ratio(band, cells, runs, [], "full")[:3] == ratio


def test_a_ratio_is_of_the_seeds_whose_runs_share_a_device():
    """Two seeds on one machine and one on another; with the methods apart there is no ratio."""
    cells, runs = [], {}
    for method, size in (("full", 200), ("lora-r16", 100)):
        for seed in (0, 1, 2):
            spec = small_run(config.model("gpt2"), config.method(method), 1e-3, seed=seed)
            cells.append(
                Cell(
                    **HERE._asdict(), method=method, learning_rate=1e-3, seed=seed, tuned=True,
                    phase="confirm", run_id=spec.run_id, eval_digest=None, status="finished",
                )
            )  # fmt: skip
            runs[spec.run_id] = RunRecord(
                run_id=spec.run_id, spec=spec, status="finished", validation_bits_per_byte=1.0, data=None,
                costs=Costs(peak_memory_bytes=size * (7 if (method, seed) == ("full", 2) else 1)),
                precision=None, environment={"device": "old" if seed < 2 else "new"},
            )  # fmt: skip
    band = Band(what="peak_memory_bytes", method="lora-r16", against="full", low=0, high=0.9)
    assert measured_ratio(band, cells, runs, [], "full") == (0.5, 0.5, 0.5, 2, 0)
    apart = {
        run: record.model_copy(update={"environment": {"device": record.spec.method.name}})
        for run, record in runs.items()
    }
    assert measured_ratio(band, cells, apart, [], "full")[:3] == (None, None, None)


def test_the_ratio_of_optima_is_the_baselines():
    """Known against the study's baseline, unknown against another."""
    one = Optimum(
        **HERE._asdict(), method="lora-r16", learning_rate=1e-3, low=None, high=None, seeds=3, outside=0,
        ratio=9.0, ratio_low=5.0, ratio_high=16.0, ratio_seeds=3,
    )  # fmt: skip
    band = Band(what="optimum", method="lora-r16", against="full", low=3.2, high=32)
    assert measured_ratio(band, [], {}, [one], "full") == (9.0, 5.0, 16.0, 3, 0)
    assert measured_ratio(band, [], {}, [one], "lora-r8") == UNKNOWN


def test_a_ratio_without_some_seeds_says_of_how_many_it_is():
    """Two of three tuning seeds have an optimum of both methods: a value, no interval, and not *one seed*."""
    claim = only("ten-times-the-rate", {}, Ratio(11.0, None, None, 2, 1))
    assert claim.verdict == "undecided"
    assert "11 from the 2 of 3 tuning seeds with an optimum of both, so no interval" in evidence_text(claim)
    alone = only("ten-times-the-rate", {}, Ratio(11.0, None, None, 1))
    assert "11 from one seed, no interval" in evidence_text(alone)
    rest = Optimum(
        **HERE._asdict(), method="lora-r16", learning_rate=1e-3, low=None, high=None, seeds=3, outside=0,
        ratio=11.0, ratio_seeds=2,
    )  # fmt: skip
    band = Band(what="optimum", method="lora-r16", against="full", low=3.2, high=32)
    assert measured_ratio(band, [], {}, [rest], "full") == (11.0, None, None, 2, 1)


def test_findings_name_methods_and_metrics_that_there_are():
    """Every one has a source and something to be judged by; its methods are in the catalog."""
    assert len(published_findings()) == len({published.name for published in published_findings()}) >= 8
    known = config.catalog("methods")
    for published in published_findings():
        assert published.source
        assert published.pairs or published.bands
        for item in (*published.pairs, *published.bands):
            assert {item.method, item.against} <= known.keys()
    pairs = pairs_of([published.name for published in published_findings()])
    assert {name for pair in pairs for name in pair.metrics} <= all_metrics().keys()
    assert all(metric_of(pair, RECIPE) for pair in pairs)


def test_a_pair_is_judged_on_the_first_metric_that_the_data_have():
    """Recipes have content beside markers; all of a conversation's answer is content; unknown is none."""
    (pair,) = pairs_of(["all-layers-beat-attention"])
    assert metric_of(pair, RECIPE).name == "content_bits_per_byte"
    assert metric_of(pair, Conversation(name="chat")).name == "bits_per_byte"
    assert metric_of(pair.model_copy(update={"metrics": ("none_such",)}), RECIPE) is None
