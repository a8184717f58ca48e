"""What the README says was found is what the kept records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from experiments.publishing import headline
from experiments.publishing.board.rows import Standing, rows_of
from experiments.publishing.kept import RESULTS, Kept, read
from figures.wording.names import difference_text, interval_text, joined, value_text
from toolkit.records import BASE

README = " ".join((Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8").split())
TRAIN = RESULTS / "bench" / "cpu-amd-epyc-2-cores" / "train.json"


def value(kept: Kept, method: str, metric: str, places: int = 3, size: int | None = None) -> str:
    """A method's value, as a report shows it; of a study of several, with ``size`` training documents."""
    (one,) = [
        e
        for e in kept.conclusions.estimates
        if (e.method, e.metric) == (method, metric) and size in (None, e.train_size)
    ]
    return value_text(one.value, one.unit or "", places)


def against(
    kept: Kept,
    metric: str,
    places: int,
    method: str = "lora-r16",
    baseline: str = "full",
    size: int | None = None,
) -> tuple[str, str, str, str]:
    """A method against its baseline: difference, interval, margin and verdict."""
    (one,) = [
        c
        for c in kept.conclusions.comparisons
        if (c.method, c.baseline, c.metric) == (method, baseline, metric) and size in (None, c.train_size)
    ]
    unit = one.unit or ""
    return (
        difference_text(one.difference, unit, places),
        interval_text(one.low, one.high, unit, places),
        value_text(one.margin, unit, places),
        one.verdict,
    )


def test_the_headline_is_that_of_the_kept_study():
    """Values, difference, interval and margin of both metrics and sizes, and the untouched base."""
    kept = read("full-vs-lora-embedded")
    content, whole = "content_bits_per_byte", "bits_per_byte"
    words = {180: "are *{}* at predicting a recipe's text without its markers", 800: "LoRA is *{}* with 800"}
    for size, sentence in words.items():
        apart, ends, margin, verdict = against(kept, content, 4, size=size)
        sides = " against ".join(value(kept, method, content, 4, size) for method in ("lora-r16", "full"))
        assert sentence.format(verdict) in README
        of = "bits per byte of the content " if size == 180 else ""
        assert f"({of}{sides}, difference {apart}, 95 % interval {ends}, margin {margin})" in README
    for size in words:
        apart, ends, _, verdict = against(kept, whole, 3, size=size)
        sides = " against ".join(value(kept, method, whole, 3, size) for method in ("lora-r16", "full"))
        assert f"*{verdict}* with {size} ({sides}, {apart}, {ends})" in README
    base = (value(kept, BASE, metric, 3, 180) for metric in (content, whole))
    assert "({}; with markers {})".format(*base) in README


def test_costs_are_those_of_the_findings():
    """Memory and time with their intervals over seeds, and what is saved, with 800 recipes."""
    kept = read(headline.HEADLINE)
    (condition,) = (one for one in kept.conclusions.conditions if one.train_size == 800)
    known = headline.ratios(kept, condition)
    told = {by: headline.share(known[by].value) for by in known}
    ends = {by: f"{headline.share(one.low)} to {headline.share(one.high)}" for by, one in known.items()}
    memory, time = (f"{told[by]} ({ends[by]})" for by in ("memory", "time"))
    said = (
        f"LoRA took {memory} of the peak memory, {time} of the training time and {told['size']} of the disk"
    )
    assert said in README


def test_the_ratio_of_rates_is_that_of_the_kept_study():
    """With its interval over three tuning seeds."""
    (one,) = [o for o in read("learning-rates").conclusions.optima if o.method == "lora-r16"]
    assert (one.ratio_seeds, one.outside) == (3, 0)
    said = f"is {one.ratio:.1f} times ({one.ratio_low:.1f} to {one.ratio_high:.0f}, three tuning seeds)"
    assert said in README


def test_the_other_base_model_is_that_of_the_kept_study():
    """Gemma alone: values, interval, margin, verdict and memory."""
    kept = read("base-models")
    of_gemma = {
        name: tuple(one for one in getattr(kept.conclusions, name) if one.base_model.startswith("gemma"))
        for name in ("comparisons", "estimates", "recommendations")
    }
    gemma = kept._replace(conclusions=kept.conclusions.model_copy(update=of_gemma))
    metric = "content_bits_per_byte"
    _, ends, margin, verdict = against(gemma, metric, 4)
    lora, full = (value(gemma, method, metric, 4) for method in ("lora-r16", "full"))
    assert (
        f"LoRA is *{verdict}*: {lora} bits per byte of the content against {full} ({ends}, margin {margin}"
        in README
    )
    memory = {one.method: one.memory_bytes for one in gemma.conclusions.recommendations[0].candidates}
    assert f"in {memory['lora-r16'] / memory['full']:.2f} of the memory (`bakeoff run base-models`" in README


def test_german_recipes_are_those_of_the_kept_study():
    """Values, interval and verdict."""
    kept, metric = read("german"), "content_bits_per_byte"
    _, ends, _, verdict = against(kept, metric, 3)
    lora, full = (value(kept, method, metric) for method in ("lora-r16", "full"))
    assert f"LoRA is *{verdict}* by far: {lora} bits per byte of the content against {full} ({ends}" in README


def test_conversations_are_those_of_the_kept_study():
    """Values, interval and the untouched base."""
    kept, metric = read("answers"), "bits_per_byte"
    _, ends, _, verdict = against(kept, metric, 3)
    lora, full, base = (value(kept, method, metric) for method in ("lora-r16", "full", BASE))
    assert f"the two are *{verdict}*: bits per byte" in README
    assert f"the answers {lora} for LoRA against {full} ({ends}), from {base} untouched" in README


def test_where_to_adapt_is_that_of_the_kept_study():
    """Attention alone and the MLP alone, against LoRA on all layers."""
    kept, metric = read("where-to-adapt"), "content_bits_per_byte"
    attention, mlp = (
        against(kept, metric, 4, method, "lora-r16") for method in ("lora-attention", "lora-mlp")
    )
    values = [value(kept, method, metric) for method in ("lora-attention", "lora-r16", "lora-mlp")]
    assert f"is *{attention[-1]}* than LoRA on all layers: {values[0]} bits" in README
    assert f"against {values[1]} ({attention[1]}, three seeds" in README
    assert f"on the MLP alone *{mlp[-1]}*, {values[2]}: `{kept.command}`" in README


def test_ranks_are_those_of_the_kept_study():
    """The highest and the lowest rank against full fine-tuning, and the command."""
    kept, metric = read("rank-sweep"), "content_bits_per_byte"
    high, low = (against(kept, metric, 4, method) for method in ("lora-r256", "lora-r1"))
    values = [value(kept, method, metric) for method in ("lora-r256", "lora-r1", "full")]
    assert f"Rank 256 is *{high[-1]}* to full fine-tuning, and rank 1 is *{low[-1]}*" in README
    assert f"{values[0]} and {values[1]} bits per byte of the content against {values[2]}" in README
    assert f"({high[1]} and {low[1]}, three seeds: `{kept.command}`)" in README
    (one,) = [c for c in kept.conclusions.comparisons if (c.method, c.baseline) == ("lora-r1", "full")]
    assert f"p for rank 1 is {one.p_holm:.3f}, corrected over five ranks" in README
    means = [value(kept, f"lora-r{rank}", metric, 4) for rank in (1, 4, 16, 64, 256)]
    assert means == sorted(means, reverse=True)


def test_variants_are_those_of_the_kept_study():
    """Differences to LoRA, what lies within the study's margin, and the published finding's verdict."""
    kept, metric = read("variants"), "content_bits_per_byte"
    names = ("dora", "rslora", "pissa", "olora")
    found = {name: against(kept, metric, 4, name, "lora-r16") for name in names}
    apart = [one[0] for one in found.values()]
    assert f"({joined(apart)} from {value(kept, 'lora-r16', metric)})" in README
    verdicts = {name: one[-1] for name, one in found.items()}
    assert verdicts == {"dora": "equivalent", **dict.fromkeys(names[1:], "undecided")}
    _, ends, _, verdict = against(kept, metric, 3, "lora-plus", "lora-r16")
    assert (verdict, f"LoRA+ may not ({ends})" in README) == ("undecided", True)
    (judged,) = [claim for claim in kept.conclusions.claims if claim.name == "variants-peak-alike"]
    within = [one.method for one in judged.comparisons if one.support == "supports"]
    assert (judged.verdict, sorted(within)) == ("undecided", sorted(names))
    assert f"the others are *undecided* (`{kept.command}`)" in README


def test_forgetting_is_that_of_the_kept_study():
    """On news texts: both methods, their difference, the untouched base, and the command."""
    kept, metric = read("forgetting"), "general_bits_per_byte"
    _, ends, _, verdict = against(kept, metric, 3)
    lora, full, base = (value(kept, method, metric) for method in ("lora-r16", "full", BASE))
    assert f"it is *{verdict}* than full fine-tuning ({lora} bits per byte against {full}, {ends}" in README
    assert f"five seeds; {base} untouched: `{kept.command}`" in README


def test_the_board_is_that_of_the_kept_study():
    """How many methods are on it, and how each stands."""
    kept = read("board")
    rows = rows_of(kept, kept.conclusions.conditions[0])
    of = {name: [f"`{r.method}`" for r in rows if r.standing == name] for name in get_args(Standing)}
    every = len(rows) - 1 + len(kept.missing)
    assert f"there are {len(rows) - 1} of {every} other methods on the [board]" in README
    assert of["better"] == []
    are = "is" if len(of["equivalent"]) == 1 else "are"
    assert f"none may be called better, {joined(of['equivalent'])} {are} *equivalent*" in README
    behind = "is" if len(of["worse"]) == 1 else "are"
    said = f"{joined(of['worse'])} {behind} *worse*, {len(of['undecided'])} are *undecided*"
    assert said in README


def test_speeds_are_those_of_the_bench():
    """Full fine-tuning over TRL as set up best, over its defaults, and over the notebook."""
    measured = json.loads(TRAIN.read_text(encoding="utf-8"))["measured"]
    tuned, defaults = measured["full_over_trl_tuned"], measured["full_over_trl"]
    assert f"trains {tuned:.1f} times the tokens per second of TRL's trainer at the fastest of nine" in README
    assert len(measured["trl_tried"]) == 9
    assert f"{defaults:.1f} times those of its defaults" in README
    assert f"{measured['ratio']:.1f} times those of a tutorial's notebook" in README
    shape = json.loads(TRAIN.with_name("train-distilgpt2.json").read_text(encoding="utf-8"))["measured"]
    times = [f"{shape[key]:.1f}" for key in ("full_over_trl_tuned", "full_over_trl", "ratio")]
    assert f"shape these are {times[0]}, {times[1]} and {times[2]} times" in README
    seconds = measured["seconds_to_notebooks_validation"]
    assert f"reaches in {seconds['full']:.0f} seconds instead of {seconds['notebook']:.0f}" in README
