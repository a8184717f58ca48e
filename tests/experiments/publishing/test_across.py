"""LoRA against full fine-tuning across studies: one row per condition, and the words of the opening."""

from __future__ import annotations

from experiments.publishing.findings import across
from experiments.publishing.findings.headline import FORGETTING, GENERAL, HEADLINE
from experiments.publishing.findings.opening import opening
from experiments.publishing.kept import Kept


def under(kept: Kept, study: str, verdict: str = "worse", **condition: object) -> Kept:
    """The same study under another name and condition, with another verdict."""
    concluded = kept.conclusions
    changed = {
        name: tuple(one.model_copy(update=condition) for one in getattr(concluded, name))
        for name in ("cells", "estimates", "comparisons", "recommendations")
    }
    changed["comparisons"] = tuple(
        one.model_copy(update={"verdict": verdict}) for one in changed["comparisons"]
    )
    return kept._replace(conclusions=concluded.model_copy(update={**changed, "study": study}))


def test_a_row_has_values_difference_verdict_costs_and_command(kept):
    """Of the fixture: −0.0012 (−0.005 to 0.0026), 3.3 of 4.6 GB and 60 of 70 seconds."""
    shown = across.table({HEADLINE: under(kept, HEADLINE, "equivalent")})
    assert shown is not None
    (row,) = shown.rows
    told = dict(zip(shown.header, row, strict=True))
    assert (told["base model"], told["trained on"]) == ("tiny", "180 recipes documents")
    assert told["difference"] == "−0.0012 (−0.0050 to +0.0026)"
    assert (told["lora-r16 is"], told["memory"], told["time"]) == ("equivalent", "0.72", "0.86")
    assert told["repeat with"].startswith(f"bakeoff run {HEADLINE}")
    values = {one.method: one.value for one in kept.conclusions.estimates if one.metric == "bits_per_byte"}
    assert (float(told["lora-r16"]), float(told["full"])) == (
        round(values["lora-r16"], 4),
        round(values["full"], 4),
    )


def test_each_condition_has_one_row_ordered_by_data_base_and_size(kept):
    """A condition in several studies is the headline's; sizes of its data come first, then other bases."""
    studies = {
        "answers": under(kept, "answers", dataset="chat"),
        "base-models": under(kept, "base-models", base_model="gemma"),
        "board": under(kept, "board"),
        "data-size": under(kept, "data-size", train_size=50),
        "epochs": under(kept, "epochs", epochs=4.0),
        HEADLINE: under(kept, HEADLINE),
    }
    found = across.comparisons(studies)
    assert [one.kept.conclusions.study for one in found] == [
        "data-size",
        HEADLINE,
        "epochs",
        "base-models",
        "answers",
    ]
    assert across.trained_on(found[2].condition) == "180 recipes documents, 4 epochs"


def test_of_two_studies_of_a_condition_the_one_with_more_tuning_seeds_is_shown(kept):
    """Unless one is the headline; the opening tells that verdict alone."""
    once = under(kept, "epochs", "better", epochs=2.0)
    cells = once.conclusions.cells
    tune = tuple(
        cell.model_copy(update={"phase": "tune", "seed": seed}) for seed in (7, 8) for cell in cells[-1:]
    )
    concluded = under(kept, "two-epochs", "undecided", epochs=2.0).conclusions
    twice = kept._replace(conclusions=concluded.model_copy(update={"cells": (*cells, *tune)}))
    (found,) = across.comparisons({"epochs": once, "two-epochs": twice})
    assert found.kept.conclusions.study == "two-epochs"
    told = opening({HEADLINE: kept, "epochs": once, "two-epochs": twice})[0]
    assert "it is undecided with 180 recipes documents, 2 epochs" in told
    assert "better with" not in told
    headline = under(kept, HEADLINE, epochs=2.0)
    (found,) = across.comparisons({HEADLINE: headline, "two-epochs": twice})
    assert found.kept.conclusions.study == HEADLINE


def test_what_is_not_tuned_or_has_another_confidence_or_was_refused_is_marked(kept):
    """So that no row claims what the note below the table says of all."""
    cells = tuple(cell.model_copy(update={"tuned": False}) for cell in kept.conclusions.cells)
    untuned = kept._replace(conclusions=kept.conclusions.model_copy(update={"cells": cells}))
    shown = across.table({HEADLINE: untuned})
    assert shown is not None
    assert shown.rows[0][6] == "equivalent (not both tuned)"
    refused = across.table({HEADLINE: under(kept, HEADLINE, "refused")})
    assert refused is not None
    assert refused.rows[0][5:7] == ("–", "refused")
    alone = kept._replace(conclusions=kept.conclusions.model_copy(update={"comparisons": ()}))
    assert across.table({HEADLINE: alone}) is None


def test_the_opening_tells_the_verdicts_of_other_studies(kept):
    """By verdict, with the base where it is another one; nothing of conditions that the headline has."""
    others = {
        "base-models": under(kept, "base-models", "better", base_model="gemma"),
        "data-size": under(kept, "data-size", "equivalent", train_size=50),
        "epochs": under(kept, "epochs", "equivalent", train_size=100),
        "german": under(kept, "german", dataset="german"),
        "variants": under(kept, "variants"),
    }
    text = opening({HEADLINE: kept, **others})[0]
    assert text.endswith(
        "In other studies it is equivalent with 50 and 100 recipes documents; better with 180 recipes "
        "documents (gemma); worse with 180 german documents."
    )
    assert "In other studies" not in opening({HEADLINE: kept, "variants": others["variants"]})[0]


def test_the_opening_tells_what_is_forgotten(kept):
    """Of the metric of general text in `forgetting`; nothing of its others, and nothing if it was refused."""
    once = under(kept, FORGETTING)
    general = tuple(one.model_copy(update={"metric": GENERAL}) for one in once.conclusions.comparisons)
    concluded = once.conclusions.model_copy(update={"comparisons": general, "headline": (GENERAL,)})
    forgetting = once._replace(conclusions=concluded)
    words = "On text that is no recipe, which tells what was forgotten, it is worse with 180 recipes."
    assert opening({HEADLINE: kept, FORGETTING: forgetting})[0].endswith(words)
    assert "forgotten" not in opening({HEADLINE: kept, FORGETTING: once})[0]
    refused = tuple(one.model_copy(update={"verdict": "refused"}) for one in general)
    unknown = once._replace(conclusions=concluded.model_copy(update={"comparisons": refused}))
    assert "forgotten" not in opening({HEADLINE: kept, FORGETTING: unknown})[0]
