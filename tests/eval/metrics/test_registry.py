"""The registry, and what `measure` does with what metrics give it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from eval.metrics import Context, Metric, all_metrics, measure, metric
from toolkit.errors import UserError


def test_headline_metrics_come_first_and_each_file_is_one_metric():
    """Those that get verdicts lead, three of documents and four of answers; both groups by name."""
    names = list(all_metrics())
    of_documents, of_answers = names[:2] + names[5:6], [names[2], *names[3:5], *names[6:7]]
    assert of_documents == ["bits_per_byte", "bleu", "structure_compliance"]
    assert of_answers == ["choice_accuracy", "numeric_answer", "pattern", "valid_json"]
    assert names[7:] == sorted(names[7:])
    assert "perplexity" in names


def test_every_metric_declares_itself():
    """A label, a unit and a signature each; names are keys of records."""
    for name, item in all_metrics().items():
        assert name == item.name
        assert item.label
        assert item.unit
        assert item.signature
        assert item.direction in ("lower", "higher", "neither")


def test_the_label_is_carried_in_the_record(context):
    """`structure_partial` reads "structure checks passed" in a sentence; the record holds it."""
    value, _ = measure(metric("structure_partial"), [], context)
    assert value.label == "structure checks passed"


def test_a_metric_without_a_formula_cannot_be_made():
    """`aggregate` is missing: Python names it."""

    class Half(Metric):
        name, label, unit, direction, signature = "half", "half", "share", "higher", "x"

        def statistics(self, outcome, context):
            return (1.0,)

    with pytest.raises(TypeError, match="aggregate"):
        Half()


def test_results_about_training_texts_are_shared_and_never_mixed_up(context):
    """Computed once for two settings; again for other texts, though both are of one word."""
    made = []

    def count(texts):
        return lambda: made.append(texts) or len(texts[0])

    one = replace(context, train=["a"])
    other = replace(one, train=["bb"])
    for each in (one, one.at("ingredients", "greedy"), other, one.among([])):
        assert each.from_train("letters", count(each.train)) == len(each.train[0])
    assert made == [["a"], ["bb"]]


def test_results_about_outcomes_belong_to_one_set(context):
    """The same key over another set of outcomes is computed anew."""
    one, other = context.among([]), context.among([])
    assert one.from_outcomes("x", lambda: 1) == 1
    assert one.from_outcomes("x", lambda: 2) == 1
    assert other.from_outcomes("x", lambda: 2) == 2


def test_an_unknown_metric_names_the_nearest():
    """'blue' is close to 'bleu'."""
    with pytest.raises(UserError, match="unknown metric 'blue'. Did you mean 'bleu'?"):
        metric("blue")


def test_an_unknown_prompt_mode_names_the_nearest(context):
    """'ingredient' is no section; 'ingredients' is."""
    with pytest.raises(UserError, match="unknown prompt mode .* Did you mean 'ingredients'?"):
        Context(form=context.form, prompt_mode="ingredient")


def test_the_metrics_import_neither_torch_nor_sacrebleu():
    """Reading a record must not wait for either."""
    code = (
        "import eval.metrics as m, sys; m.all_metrics(); "
        "sys.exit('torch' in sys.modules or 'sacrebleu' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


@pytest.mark.parametrize("name", list(all_metrics()))
def test_no_outcomes_give_none_and_no_documents(name, context):
    """Zero documents: the value is None, `documents` is 0."""
    value, rows = measure(metric(name), [], context)
    assert (value.value, value.documents, rows) == (None, 0, [])


@pytest.mark.parametrize("name", list(all_metrics()))
def test_an_outcome_without_anything_is_left_out_and_counted(name, context, outcome, text):
    """Neither likelihood nor generation: no statistics, and the document is not among those counted."""
    value, rows = measure(metric(name), [outcome(text())], context)
    assert (value.value, value.documents, rows) == (None, 0, [None])


@pytest.mark.parametrize("written", ["", "\n", "INGREDIENTS:\nDIRECTIONS:\n[END]", "[END]", "RECIPE:" * 9])
@pytest.mark.parametrize("name", list(all_metrics()))
def test_empty_and_marker_only_generations_have_a_defined_value(name, written, context, outcome, text):
    """A number or None, and never NaN: MetricValue refuses NaN, so measuring must not raise."""
    value, _ = measure(
        metric(name), [outcome(text(), written), outcome(text(title="Toast"), written)], context
    )
    assert value.value is None or value.value >= 0


def test_a_metric_that_raises_names_itself_and_the_document(context, outcome, text):
    """The likelihood of a part is missing its whole: a KeyError inside is a line that says where."""

    class Broken(type(metric("bleu"))):
        name = "broken"

        def statistics(self, outcome, context):
            raise KeyError("x")

    with pytest.raises(
        UserError, match=r"metric 'broken' failed on document [0-9a-f]{16} \('Plain omelette'\)"
    ):
        measure(Broken(), [outcome(text(), "")], context)


def test_statistics_that_are_not_finite_are_refused(context, outcome, text):
    """NaN statistics would poison every sum."""

    class Nan(type(metric("bleu"))):
        def statistics(self, outcome, context):
            return (float("nan"),)

    with pytest.raises(UserError, match="statistics are not finite"):
        measure(Nan(), [outcome(text(), "")], context)


def test_prompt_mode_and_decoding_belong_to_the_signature_of_what_looks_at_generations(
    context, outcome, text
):
    """BLEU of greedy text from a title is not BLEU of drawn text; bits per byte has neither."""
    bleu, _ = measure(metric("bleu"), [outcome(text(), "")], context)
    bits, _ = measure(metric("bits_per_byte"), [], context)
    assert bleu.signature.endswith("|prompt:title|decoding:greedy")
    assert "decoding" not in bits.signature
