"""Which way is better: by a metric's name, as it is given, or unknown and reported as such."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.foreign import read
from eval.foreign.judge import judge
from eval.foreign.sources.scores import direction_of
from eval.metrics import all_metrics
from toolkit.errors import UserError

NAMES = {
    "higher": ["prompt_level_strict_acc", "inst_level_loose_acc,none", "eval_mean_token_accuracy", "rouge_l",
               "rougeL", "token_f1", "exact_match:test", "quasi_exact_match:valid", "pass@1", "eval_rouge1",
               "Exact Match", "acc_norm,none", "eval_rewards/accuracies", "structure_compliance"],
    "lower": ["word_perplexity", "eval_loss", "eval_wiki_loss", "longest_copy", "content_bits_per_byte"],
    "neither": ["length_ratio", "eval_entropy", "num_output_tokens:test", "mystery"],
}  # fmt: skip


@pytest.mark.parametrize(("way", "name"), [(way, name) for way, names in NAMES.items() for name in names])
def test_a_name_tells_which_way_is_better_or_nobody_knows(way, name):
    """Names of lm-evaluation-harness, HELM, Trainer and of our own metrics."""
    assert direction_of(name) == way


def test_our_own_metrics_are_known_as_they_are_defined():
    """Every one of the registry, BLEU to word perplexity, whatever its name ends in."""
    assert {name: direction_of(name) for name in all_metrics()} == {
        name: item.direction for name, item in all_metrics().items()
    }
    assert len(all_metrics()) > 20


def sides(tmp_path, metric):
    """Forty items, of which `a` has scores higher by about 1."""
    for name, more in (("a", 1.0), ("b", 0.0)):
        rows = "".join(f"{item},{metric},{item % 7 + more * (1 + item % 3 / 10)}\n" for item in range(40))
        (tmp_path / f"{name}.csv").write_text("item,metric,score\n" + rows)
    return {name: read(tmp_path / f"{name}.csv") for name in "ab"}


def test_an_unknown_direction_is_the_reason_why_nothing_is_decided(tmp_path):
    """1.0975 more on average, p below .05: undecided, with the option that decides it, either way."""
    results = sides(tmp_path, "mystery")
    (one,) = judge(results, "b").comparisons
    assert one.difference == pytest.approx(1.0975)
    assert (one.verdict, one.reason) == ("undecided", "which way is better is unknown: --direction")
    for direction, verdict in (("higher", "better"), ("lower", "worse")):
        (one,) = judge(results, "b", direction=direction).comparisons
        assert (one.direction, one.verdict, one.reason) == (direction, verdict, None)


def test_a_direction_does_not_turn_a_metric_that_is_known(tmp_path):
    """Of acc higher is better: one line; a CSV's `score` may be anything."""
    with pytest.raises(UserError, match="--direction lower: of acc, higher is better; .* with --metric"):
        judge(sides(tmp_path, "acc"), "b", direction="lower")
    (one,) = judge(sides(tmp_path, "score"), "b", direction="lower").comparisons
    assert one.verdict == "worse"


def test_sides_that_know_two_directions_are_refused_and_one_that_knows_is_enough(tmp_path):
    """Files that say higher and lower are refused until the user decides; higher and nothing is higher."""
    results = sides(tmp_path, "mystery")
    higher, lower = (
        [replace(one, direction=way) for one in results[name]]
        for name, way in (("a", "higher"), ("b", "lower"))
    )
    (one,) = judge({"a": higher, "b": lower}, "b").comparisons
    assert (one.verdict, one.reason) == (
        "refused",
        "the results disagree on which way is better: --direction",
    )
    (one,) = judge({"a": higher, "b": lower}, "b", direction="lower").comparisons
    assert one.verdict == "worse"
    (one,) = judge({"a": results["a"], "b": higher}, "b").comparisons
    assert one.direction == "higher"
