"""Metrics of answers, each on texts small enough to score by hand."""

from __future__ import annotations

import math

import pytest

from eval.harness import metrics_for
from eval.metrics import Context, all_metrics, measure, metric, signature
from eval.metrics.answers.answer import normalised
from eval.metrics.answers.numeric_answer import last_number
from eval.metrics.answers.token_f1 import token_f1
from tests.factories import RECIPE
from toolkit import config
from toolkit.data.conversations.turns import Dialogue, Turn, to_text
from toolkit.data.format import document_id
from toolkit.errors import UserError
from toolkit.records import Choice, Generation, Likelihood, Outcome
from toolkit.specs import Conversation


def chat(**scoring) -> Conversation:
    """A conversation format that says how answers are scored."""
    return Conversation(name="mine", scoring=scoring)


def outcome(answer: str, written: str, question: str = "What?", choices: tuple[Choice, ...] = ()) -> Outcome:
    """An outcome on a question: the right answer, and what the model wrote."""
    text = to_text(Dialogue((Turn("user", question), Turn("assistant", answer))))
    made = Generation(
        prompt_mode="prompt", decoding="greedy", prompt="<q>", text=written, tokens=3, ended="end_of_text"
    )
    likelihood = {
        "answer": Likelihood(nll=2.0, tokens=4, bytes=len(answer.encode())),
        "stop": Likelihood(nll=1.0, tokens=1, bytes=0),
    }
    return Outcome(
        document_id=document_id(text),
        title=question,
        reference=text,
        likelihood=likelihood,
        choices=choices,
        generations=(made,),
    )


def value(name: str, form: Conversation, pairs: list[tuple[str, str]]) -> float | None:
    """The metric's value on pairs of right answer and written answer."""
    context = Context(form=form, prompt_mode="prompt", decoding="greedy")
    outcomes = [outcome(answer, written, f"What {n}?") for n, (answer, written) in enumerate(pairs)]
    return measure(metric(name), outcomes, context)[0].value


def test_exact_match_is_squads():
    """`The Eiffel-Tower!` equals `eiffeltower`; of four answers two are right: 2/4."""
    assert normalised("  The Eiffel-Tower, an  icon!") == "eiffeltower icon"
    pairs = [("Paris", "paris."), ("Paris", "the Paris"), ("Paris", "in Paris"), ("Paris", "")]
    assert value("exact_match", chat(), pairs) == 2 / 4


def test_token_f1_is_squads():
    """Of `red big dog` and `big red cat sat` 2 words agree: 2 * 2 / (3 + 4); of two empty ones all: 1."""
    assert token_f1("a red big dog", "big red cat sat") == pytest.approx(4 / 7)
    assert token_f1("x x", "x") == pytest.approx(2 / 3)
    assert (token_f1("", "The"), token_f1("", "dog"), token_f1("dog", "cat")) == (1.0, 0.0, 0.0)
    assert value("token_f1", chat(), [("dog", "dog"), ("dog", "big dog")]) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5 apples and 7", 7),
        ("so x = -1,234.5.", -1234.5),
        ("2e3", 2000),
        ("5-3", 3),
        ("v1.2.3 has none of 10%", 10),
        ("no number", None),
        ("that is .5", 0.5),
        ("it costs $.75", 0.75),
        ("\N{MINUS SIGN}5", -5),
        ("3\N{MINUS SIGN}5", 5),
        ("#### 72", 72),
        ("\N{CJK UNIFIED IDEOGRAPH-7B54}\N{CJK UNIFIED IDEOGRAPH-662F}42\u3002", 42),
        ("Rs.500", 500),
        ("_42_ and A4, x_7", 42),
        ("wait...5", 5),
        ("of 1,2345", 2345),
        ("1,2,3", 3),
    ],
)
def test_the_last_number_of_a_text(text, number):
    """Commas divide thousands, a hyphen between numbers is no sign, a final point is none.

    A number directly behind a Latin letter is part of a name; Chinese has no space before one.
    """
    assert last_number(text) == number


def test_a_tolerance_is_not_missed_by_rounding():
    """1.1 - 1 is a little more than 0.1 in floating point, and 0.3 - 0.29 than 0.01."""
    pairs = [("1", "1.1"), ("0.3", "0.29"), ("1", "1.11")]
    assert value("numeric_answer", chat(tolerance=0.1), pairs[:1]) == 1
    assert value("numeric_answer", chat(tolerance=0.01), pairs[1:2]) == 1
    assert value("numeric_answer", chat(tolerance=0.1), pairs[2:]) == 0


def test_numeric_answers_may_differ_by_the_tolerance():
    """Right answer 72, tolerance 0.5: 72.5 is right, 72.6 and no number are wrong."""
    pairs = [("is 72", "72.5"), ("72", "it is 72.6"), ("72", "none"), ("none", "3")]
    assert value("numeric_answer", chat(tolerance=0.5), pairs) == pytest.approx(1 / 3)
    assert value("numeric_answer", chat(tolerance=0), [("72", "72.0"), ("72", "72.1")]) == 0.5


def test_a_number_beyond_floating_point_is_right_of_none():
    """A model that repeats a digit to the limit; as a reference it is no number."""
    endless = "1" * 400
    assert (
        value("numeric_answer", chat(tolerance=0), [("18", endless), ("18", "1e999"), ("18", "18")]) == 1 / 3
    )
    assert value("numeric_answer", chat(tolerance=0), [(endless, "18"), ("18", "18")]) == 1


def test_a_pattern_is_looked_for_in_the_answer_alone():
    """`^(yes|no)$` is found in `yes` and not in `yes!` or in a line among others."""
    pairs = [("x", "yes"), ("yes", "yes!"), ("yes", "so\nyes")]
    assert value("pattern", chat(pattern="^(yes|no)$"), pairs) == pytest.approx(1 / 3)


def test_json_has_to_be_valid_against_the_schema():
    """A string for a number, no JSON, NaN, and a fenced answer are wrong: 2 of 6 are right."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "number"}}}
    answers = [
        '{"n": 1}',
        ' {"n": 2.5, "m": 0}\n',
        '{"n": "1"}',
        "n = 1",
        '{"n": NaN}',
        '```json\n{"n": 1}\n```',
    ]
    assert value("valid_json", chat(json_schema=schema), [("x", a) for a in answers]) == pytest.approx(2 / 6)
    assert value("valid_json", chat(json_schema={}), [("x", "[1]"), ("x", "[" * 100_000)]) == 0.5
    prices = [("x", a) for a in ("1.25", "1e400", "1" * 320)]  # the last two are beyond floating point
    assert value("valid_json", chat(json_schema={"multipleOf": 0.25}), prices) == pytest.approx(1 / 3)


def test_choices_are_by_likelihood_and_by_likelihood_per_character():
    """Right: `blue sky` at 3 nats of 8 characters; wrong: `red` at 2 of 3. By length blue sky wins."""
    choices = (Choice(nll=2.0, characters=3, right=False), Choice(nll=3.0, characters=8, right=True))
    form = Conversation(name="mine", choices="options")
    context = Context(form=form, prompt_mode="prompt", decoding="greedy")
    one = outcome("blue sky", "", choices=choices)

    assert measure(metric("choice_accuracy"), [one], context)[0].value == 0.0
    assert measure(metric("choice_accuracy_by_length"), [one], context)[0].value == 1.0


def test_bits_per_byte_are_of_the_last_answer_without_its_stop():
    """2 nats over the 6 bytes of `käse!`: 2 / ln 2 / 6; the prompt and the stop are not counted."""
    assert value("bits_per_byte", chat(), [("käse!", "")]) == pytest.approx(2 / math.log(2) / 6)
    assert value("word_perplexity", chat(), [("two words", "")]) == pytest.approx(math.exp(2 / 2))


def test_bleu_and_rouge_compare_the_answers():
    """An answer that repeats the reference scores 100 and 1; another of no common word 0."""
    answer = "Preheat the oven and wait for ten minutes."
    assert value("bleu", chat(), [(answer, answer)]) == pytest.approx(100)
    assert value("rouge_l", chat(), [(answer, answer), (answer, "x y z")]) == pytest.approx(0.5)


def test_a_metric_that_says_nothing_of_a_format_is_not_measured_on_it():
    """Conversations have no structure; a recipe has no answer; some metrics need settings of the data set."""
    plain, full = metrics_for(chat()), metrics_for(chat(tolerance=0.0, pattern="x", json_schema={}))
    recipe = metrics_for(RECIPE)

    assert {"exact_match", "token_f1", "bleu", "bits_per_byte", "stop_rate"} <= plain.keys()
    assert not {"structure_compliance", "structure_partial", "ingredient_use"} & plain.keys()
    assert full.keys() - plain.keys() == {"numeric_answer", "pattern", "valid_json"}
    assert all_metrics().keys() - recipe.keys() == {
        *("exact_match", "token_f1", "numeric_answer", "pattern", "valid_json"),
        *("choice_accuracy", "choice_accuracy_by_length"),
    }


def test_what_the_data_set_says_is_part_of_the_signature():
    """Another tolerance, pattern or schema is another signature; likelihoods say of what."""
    for name, one, other in (
        ("numeric_answer", {"tolerance": 0.0}, {"tolerance": 0.1}),
        ("pattern", {"pattern": "a"}, {"pattern": "b"}),
        ("valid_json", {"json_schema": {}}, {"json_schema": {"type": "array"}}),
    ):
        signatures = {signature(metric(name), Context(form=chat(**s))) for s in (one, other)}
        assert len(signatures) == 2
    assert "of:last-answer" in signature(metric("bits_per_byte"), Context(form=chat()))
    assert "answer" not in signature(metric("general_bits_per_byte"), Context(form=chat()))
    assert "of:" not in signature(metric("bits_per_byte"), Context(form=RECIPE))


def test_a_schema_that_is_none_is_one_line():
    """A misspelled type would be noticed only once a model writes JSON."""
    with pytest.raises(UserError, match="json_schema: not a JSON Schema: 'objct' is not valid"):
        config.dataset(
            {
                "name": "x",
                "files": ["x.jsonl"],
                "format": {"name": "chat", "scoring": {"json_schema": {"type": "objct"}}},
            }
        )


@pytest.mark.parametrize(
    ("schema", "missing"),
    [
        ({"$ref": "#/$defs/nope"}, "#/\\$defs/nope"),
        ({"properties": {"a": {"items": {"$ref": "https://example.org/a"}}}}, "https://example.org/a"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#"}}}}}, None),
        ({"$id": "https://a.org/s", "$ref": "t", "$defs": {"t": {"$id": "t", "type": "object"}}}, None),
    ],
)
def test_a_schemas_references_lead_somewhere_in_it(schema, missing):
    """Or else the first answer would end the evaluation, after all training."""
    given = {"name": "x", "columns": "messages", "scoring": {"json_schema": schema}}
    if missing is None:
        assert config.document_format(given).scoring.json_schema == schema
    else:
        with pytest.raises(UserError, match=f"json_schema: '{missing}' is not in the schema"):
            config.document_format(given)


def test_a_pattern_that_is_none_is_one_line():
    """A bracket that is never closed."""
    with pytest.raises(UserError, match="pattern: not a regular expression"):
        config.document_format({"name": "x", "columns": "messages", "scoring": {"pattern": "("}})
