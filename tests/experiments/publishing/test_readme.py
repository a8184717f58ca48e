"""What the README says was found is what the kept records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from experiments.publishing.board.rows import Standing, rows_of
from experiments.publishing.kept import RESULTS, Kept, read
from figures.wording.names import joined, value_text
from toolkit.records import BASE

README = " ".join((Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8").split())
TRAIN = RESULTS / "bench" / "cpu-amd-epyc-2-cores" / "train.json"


def value(kept: Kept, method: str, metric: str, places: int = 3) -> str:
    """A method's value, as a report shows it."""
    (one,) = [e for e in kept.conclusions.estimates if (e.method, e.metric) == (method, metric)]
    return value_text(one.value, one.unit or "", places)


def verdict(kept: Kept, metric: str, method: str = "lora-r16", baseline: str = "full") -> str:
    """A method's verdict against its baseline, in a study of one condition."""
    (one,) = [
        c
        for c in kept.conclusions.comparisons
        if (c.method, c.baseline, c.metric) == (method, baseline, metric)
    ]
    return one.verdict


def test_the_ratio_of_rates_is_that_of_the_kept_study():
    """With its interval over three tuning seeds."""
    (one,) = [o for o in read("learning-rates").conclusions.optima if o.method == "lora-r16"]
    assert (one.ratio_seeds, one.outside) == (3, 0)
    ends = f"({one.ratio_low:.1f} to {one.ratio_high:.0f}, three tuning seeds)"
    said = f"is {one.ratio:.1f} times that of full fine-tuning {ends}"
    assert said in README


def test_where_to_adapt_is_that_of_the_kept_study():
    """Attention alone and the MLP alone, against LoRA on all layers."""
    kept, metric = read("where-to-adapt"), "content_bits_per_byte"
    attention, mlp = (verdict(kept, metric, method, "lora-r16") for method in ("lora-attention", "lora-mlp"))
    values = [value(kept, method, metric) for method in ("lora-attention", "lora-r16", "lora-mlp")]
    assert f"is *{attention}* than on all layers: {values[0]} against {values[1]}" in README
    assert f"MLP alone it is *{mlp}*: {values[2]} (`{kept.command}`)" in README


def test_ranks_are_those_of_the_kept_study():
    """The highest and the lowest rank against full fine-tuning, and the command."""
    kept, metric = read("rank-sweep"), "content_bits_per_byte"
    high, low = (verdict(kept, metric, method) for method in ("lora-r256", "lora-r1"))
    values = [value(kept, method, metric) for method in ("lora-r256", "lora-r1", "full")]
    of_each = f"rank 256 is *{high}* to full fine-tuning and rank 1 is *{low}*: {values[0]} and {values[1]}"
    assert of_each in README
    assert f"against {values[2]}. The higher the rank, the lower the mean (`{kept.command}`)" in README
    means = [value(kept, f"lora-r{rank}", metric, 4) for rank in (1, 4, 16, 64, 256)]
    assert means == sorted(means, reverse=True)


def test_epochs_are_those_of_the_kept_studies():
    """Two epochs with three tuning seeds; four and eight with one."""
    metric, two, several = "content_bits_per_byte", read("two-epochs"), read("epochs")
    of = {
        pair.epochs: pair.verdict
        for pair in several.conclusions.comparisons
        if (pair.method, pair.baseline, pair.metric) == ("lora-r16", "full", metric)
    }
    values = {
        one.method: value_text(one.value, one.unit or "", 3)
        for one in several.conclusions.estimates
        if (one.epochs, one.metric) == (8, metric)
    }
    assert verdict(two, metric) == of[4] == "equivalent"
    assert f"*{of[4]}* after two epochs (`{two.command}`, three tuning seeds) and after four" in README
    both = f"{values['lora-r16']} against {values['full']}"
    assert f"After eight, LoRA is *{of[8]}*: {both}, with one tuning seed (`{several.command}`)" in README


def test_forgetting_is_that_of_the_kept_study():
    """On news texts: both methods, their difference, the untouched base, and the command."""
    kept, metric = read("forgetting"), "general_bits_per_byte"
    lora, full, base = (value(kept, method, metric) for method in ("lora-r16", "full", BASE))
    assert f"LoRA is *{verdict(kept, metric)}* than full fine-tuning, so it forgets more: {lora}" in README
    five = f"against {full}, and {base} for the untouched base, with five seeds (`{kept.command}`)"
    assert five in README


def test_the_board_is_that_of_the_kept_study():
    """How many methods are on it, and how each stands."""
    kept = read("board")
    rows = rows_of(kept, kept.conclusions.conditions[0])
    of = {name: [f"`{r.method}`" for r in rows if r.standing == name] for name in get_args(Standing)}
    assert not kept.missing
    said = (
        f"the [board](docs/board.md) compares {len(rows) - 1} other methods with LoRA of rank 16, each "
        f"at its own learning rate. None may be called better, {joined(of['equivalent'])} are *equivalent*, "
        f"{joined(of['worse'])} are *worse*, and {len(of['undecided'])} are *undecided*."
    )
    assert said in README
    assert of["better"] == []


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
    assert f"shape, the ratios are {times[0]}, {times[1]} and {times[2]} (" in README
    seconds = measured["seconds_to_notebooks_validation"]
    reached = f"in {seconds['full']:.0f} seconds instead of {seconds['notebook']:.0f}"
    assert f"reaches the notebook's final validation loss {reached}" in README
