"""Little or broken input to an evaluation: a defined value, or one clear line."""

from __future__ import annotations

import json

import pytest

from eval import harness
from eval.anchors import ANCHORS
from eval.harness import contexts_of, evaluate, evaluation_digest
from eval.inference.outcomes import outcomes
from eval.metrics import Metric, all_metrics, measure, metric
from tests.figures.made_up import run_record
from toolkit import config
from toolkit.data.format import document_id, prompt
from toolkit.errors import UserError
from toolkit.models import load
from toolkit.records import EvaluationRecord, Generation, Outcome, write_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import Decoding, EvalSpec, ModelSpec

FORM = config.document_format("recipe")
SPEC = EvalSpec(decodings=(Decoding(name="greedy", temperature=0),), max_new_tokens=5)


def made(reference: str, written: str) -> Outcome:
    """An outcome with this text behind the reference's title, and no likelihood."""
    generation = Generation(
        prompt_mode="title",
        decoding="greedy",
        prompt=prompt(reference, FORM, "title"),
        text=written,
        tokens=3,
        ended="end_of_text",
    )
    return Outcome(
        document_id=document_id(reference),
        title="Dish",
        reference=reference,
        generations=(generation,),
    )


def evaluated(root, items: list[Outcome], test: list[str]) -> EvaluationRecord:
    """The record of an evaluation whose outcomes are there already."""
    run = run_record("full", 0, 1e-4, "CPU")
    folder = RunFolder(root, run.run_id)
    write_lines(folder.outcomes(evaluation_digest(SPEC, "print", FORM)), items)
    return evaluate(run, folder, SPEC, FORM, train=[], test=test, fingerprint="print", progress=lambda _: 0)


def test_zero_recipes_have_no_outcomes_and_every_metric_is_none(tiny_gpt2):
    """The pass, the metrics and the anchors on nothing."""
    spec = ModelSpec(name="tiny", folder=str(tiny_gpt2))
    model, tokenizer = load.load_base(spec), load.load_tokenizer(spec)
    found, _ = outcomes(model, tokenizer, [], FORM, SPEC, precision="fp32")
    assert found == []
    (context,) = contexts_of(SPEC, FORM)
    assert {measure(item, [], context)[0].value for item in all_metrics().values()} == {None}
    assert [make([], context) for make in ANCHORS.values()] == [[]] * len(ANCHORS)


@pytest.mark.parametrize("written", ["", "RECIPE:\nINGREDIENTS:\nDIRECTIONS:\n[END]", "[END]"])
def test_one_recipe_with_an_empty_text_or_markers_alone_is_evaluated(tmp_path, written, recipe_texts):
    """A record with numbers or None and no NaN, from one document; BLEU of nothing is 0."""
    record = evaluated(tmp_path, [made(recipe_texts[0], written)], recipe_texts[:1])
    assert record.metrics["bleu"].value == 0
    assert record.metrics["structure_compliance"].value == 0
    assert record.metrics["bits_per_byte"].value is None
    assert record.anchors["unrelated"] == {}
    assert record.anchors["references"]["bleu"].value == pytest.approx(100)
    assert "NaN" not in json.dumps(record.model_dump(mode="json"))


def test_references_without_ingredients_leave_the_other_metrics_alone(tmp_path):
    """No ingredient in either text: the ingredient metrics are None, BLEU is 100."""
    reference = "RECIPE: Air\nINGREDIENTS:\nDIRECTIONS: Open the window and wait for it.\n[END]"
    record = evaluated(tmp_path, [made(reference, reference.split("\n", 1)[1])], [reference])
    assert record.metrics["ingredient_match"].value is None
    assert record.metrics["ingredient_use"].value is None
    assert record.metrics["bleu"].value == pytest.approx(100)


def test_outcomes_of_another_test_part_are_refused(tmp_path, recipe_texts):
    """One outcome for two documents: the file is named, with what to do."""
    with pytest.raises(UserError, match=r"eval-.*\.jsonl has 1 outcomes for 2 documents: delete it"):
        evaluated(tmp_path, [made(recipe_texts[0], "x")], recipe_texts[:2])


def test_a_metric_that_raises_on_one_recipe_names_it_and_leaves_no_record(
    tmp_path, monkeypatch, recipe_texts
):
    """The second of three: one line with metric, document and reason; what was generated is kept."""
    bad = document_id(recipe_texts[1])

    class Broken(type(metric("stop_rate"))):
        name = "broken"

        def statistics(self, outcome, context):
            if outcome.document_id == bad:
                raise ZeroDivisionError("division by zero")
            return super().statistics(outcome, context)

    broken: dict[str, Metric] = {**all_metrics(), "broken": Broken()}
    monkeypatch.setattr(harness, "all_metrics", lambda: broken)
    expected = rf"metric 'broken' failed on document {bad} \('Dish'\): ZeroDivisionError: division by zero"
    with pytest.raises(UserError, match=expected):
        evaluated(tmp_path, [made(text, "x") for text in recipe_texts[:3]], recipe_texts[:3])
    folder = RunFolder(tmp_path, run_record("full", 0, 1e-4, "CPU").run_id)
    digest = evaluation_digest(SPEC, "print", FORM)
    assert folder.outcomes(digest).is_file()
    assert not folder.evaluation(digest).exists()
