"""Floors, baselines and ceilings: texts that no model wrote."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval import anchors
from eval.metrics import measure, metric
from toolkit.data.conversations.turns import Dialogue, Turn, to_text
from toolkit.records import Outcome
from toolkit.specs import Conversation


@pytest.fixture
def items(outcome, text):
    """Four references; two share a title, whatever its case and signs."""
    return [
        outcome(text(title=title, directions=f"Do {title} thus."))
        for title in ("Plum cake", "Fish soup", "plum cake!", "Apple pie")
    ]


def _titles(made):
    return [o.generations[0].text.split("Do ")[1].split(" thus")[0] if o.generations else None for o in made]


def test_the_unrelated_text_is_never_of_the_same_title(items, context):
    """Half the set away: 2, 3, 0, 1; but 0 and 2 share a title, so they take the next."""
    assert _titles(anchors.unrelated(items, context)) == ["Apple pie", "Apple pie", "Fish soup", "Fish soup"]


def test_a_single_document_has_no_unrelated_text(items, context):
    """None, and metrics are undefined on it."""
    made = anchors.unrelated(items[:1], context)
    assert made[0].generations == ()
    assert measure(metric("bleu"), made, context)[0].value is None


def test_the_nearest_training_text_shares_the_rarest_words_of_the_prompt(items, context, text):
    """`Fish soup`: `fish` stands in one training title, `soup` in two. None shares a word with apple pie."""
    titles = ("Tomato soup", "Old fish", "Onion soup", "Plum cake")
    train = [text(title=title, directions=f"Do {title} thus.") for title in titles]
    made = anchors.nearest_training(items, replace(context, train=train))
    assert _titles(made) == ["Plum cake", "Old fish", "Plum cake", None]
    assert [o.generations for o in anchors.nearest_training(items, context)] == [()] * 4


def test_the_same_title_is_another_text_of_that_title(items, context):
    """The two plum cakes are each other's; the rest have none."""
    assert _titles(anchors.same_title(items, context)) == ["plum cake!", None, "Plum cake", None]


def test_titles_are_the_same_by_letters_and_vowel_signs_or_by_all_there_is(outcome, text, context):
    """Hindi for tea and for shade differ in a sign; two titles of emoji are two titles."""
    tea, shade = "\u091a\u093e\u092f", "\u091a\u093e\u092f\u093e"
    titles = (tea, shade, "\N{HOT BEVERAGE}", "\N{SHORTCAKE}", "Cr\u00eape", "crepe")
    items = [outcome(text(title=title, directions=f"Do {title} thus.")) for title in titles]
    made = anchors.same_title(items, context)
    assert _titles(made) == [None, None, None, None, "crepe", "Cr\u00eape"]


def test_an_excluded_document_of_the_title_is_a_second_reference(items, context, text):
    """A second fish soup was excluded because the first is held out: it is that one's ceiling."""
    further = [text(title="Fish Soup", directions="Do chowder thus.")]
    made = anchors.same_title(items, replace(context, further=further))
    assert _titles(made) == ["plum cake!", "chowder", "Plum cake", None]


def test_an_anchor_is_prompted_by_the_reference(items, context):
    """The document that is checked starts with the reference's own title: structure holds."""
    made = anchors.unrelated(items, context)
    assert made[0].generations[0].document.startswith("RECIPE: Plum cake\nINGREDIENTS:")
    assert measure(metric("structure_compliance"), made, context)[0].value == 1


def test_every_anchor_is_in_the_list(items, context):
    """By the names records use, each giving one outcome a document."""
    assert list(anchors.ANCHORS) == ["references", "unrelated", "nearest_training", "same_title"]
    for make in anchors.ANCHORS.values():
        assert [o.document_id for o in make(items, context)] == [o.document_id for o in items]


def test_two_questions_of_the_same_words_are_two_prompts(context):
    """12 + 3 is not 12 - 3, as for the split; a system turn is in no prompt that is compared."""

    def asked(number: str, question: str, answer: str) -> Outcome:
        turns = (Turn("system", number), Turn("user", question), Turn("assistant", answer))
        return Outcome(document_id=number, title=question, reference=to_text(Dialogue(turns)))

    items = [asked("a", "12 + 3?", "15"), asked("b", "12 - 3?", "9"), asked("c", "12 + 3?", "fifteen")]
    chat = replace(context, form=Conversation(name="chat"), prompt_mode="prompt")
    ceiling = [
        o.generations[0].text.strip() if o.generations else None for o in anchors.same_title(items, chat)
    ]
    assert ceiling == ["fifteen", None, "15"]
    assert all(made.generations for made in anchors.unrelated(items, chat))
