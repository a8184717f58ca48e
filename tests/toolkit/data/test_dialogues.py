"""Rows become conversations with their text as it is, or are refused and counted by reason."""

from __future__ import annotations

import json
import unicodedata
from itertools import combinations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toolkit import config
from toolkit.data.cleaning import RefusedError
from toolkit.data.conversations.turns import from_text, to_text
from toolkit.data.format import document_id
from toolkit.data.prepare import prepare
from toolkit.data.sources.dialogues import to_dialogue
from toolkit.errors import UserError
from toolkit.specs import Conversation, DataSpec

CHAT = Conversation(name="chat")
PAIRS = Conversation(name="pairs", columns="prompt-completion")


def turns(*roles_and_texts):
    """Messages from alternating roles and contents."""
    return [{"role": r, "content": c} for r, c in zip(*[iter(roles_and_texts)] * 2, strict=True)]


def test_messages_keep_their_white_space_and_survive_storage():
    """Line breaks, indentation and outer spaces stay, and `from_text(to_text(d)) == d`."""
    code = "line one\n\n```python\n    x = 1\n```\n"
    given = turns("system", "Be brief.", "user", " hi ", "assistant", code)

    dialogue = to_dialogue({"messages": given}, CHAT, {})

    assert dialogue.answer == code
    assert dialogue.messages == given
    assert from_text(to_text(dialogue)) == dialogue


@pytest.mark.parametrize(
    ("form", "row", "expected"),
    [
        (CHAT, {"messages": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, ["a", "b"]),
        (CHAT, {"messages": json.dumps(turns("user", "a", "assistant", "b"))}, ["a", "b"]),
        (CHAT, {"messages": ["a", "b", "c", "d"]}, ["a", "b", "c", "d"]),
        (PAIRS, {"prompt": "a", "completion": "b", "system": "s"}, ["s", "a", "b"]),
        (PAIRS, {"prompt": turns("user", "a"), "completion": turns("assistant", "b")}, ["a", "b"]),
        (
            Conversation(name="alpaca", columns="instruction"),
            {"instruction": "Add.", "input": "1 + 1", "output": 2},
            ["Add.\n\n1 + 1", "2"],
        ),
    ],
)
def test_every_kind_of_row_becomes_turns(form, row, expected):
    """ShareGPT's keys, JSON in a cell, bare texts in turn, prompt and completion, and Alpaca's columns."""
    assert [turn.content for turn in to_dialogue(row, form, {}).turns] == expected


@pytest.mark.parametrize(
    ("form", "row", "reason"),
    [
        (CHAT, {"messages": turns("user", "a", "user", "b")}, "roles out of order"),
        (CHAT, {"messages": turns("assistant", "a", "user", "b")}, "roles out of order"),
        (CHAT, {"messages": turns("user", "a", "system", "b")}, "roles out of order"),
        (CHAT, {"messages": turns("user", "a", "assistant", " \n")}, "an empty answer"),
        (CHAT, {"messages": turns("user", "", "assistant", "b")}, "an empty turn"),
        (CHAT, {"messages": turns("user", "a")}, "no answer at the end"),
        (CHAT, {"messages": turns("system", "a")}, "no answer at the end"),
        (CHAT, {"messages": turns("user", "a", "tool", "b")}, "a role other than"),
        (CHAT, {"messages": [{"text": "a"}]}, "not a list of roles and contents"),
        (
            CHAT,
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "parts that are no text",
        ),
        (CHAT, {"messages": [{"role": "user", "content": []}]}, "parts that are no text"),
        (CHAT, {"messages": "not json"}, "cannot be read"),
        (CHAT, {"messages": None}, "no messages"),
        (CHAT, {"messages": []}, "no messages"),
        (CHAT, {"messages": ["a\x00", "b"]}, "NUL byte"),
        (PAIRS, {"prompt": "a", "completion": None}, "an empty answer"),
        (PAIRS, {"prompt": "a", "completion": float("nan")}, "an empty answer"),
        (PAIRS, {"completion": "b"}, "no prompt"),
        (PAIRS, {"prompt": "a", "completion": True}, "not a text"),
    ],
)
def test_a_row_that_is_no_conversation_is_refused_with_its_reason(form, row, reason):
    """One line for each kind of damage, under which the report counts it."""
    with pytest.raises(RefusedError, match=reason):
        to_dialogue(row, form, {})


def test_contents_in_parts_and_a_developer_turn_are_read():
    """As newer APIs write them: the parts are one text, the developer's turn is the system's."""
    parts = [{"type": "text", "text": "Why is "}, {"type": "text", "text": "it red?"}]
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "Iron."},
    ]
    found = to_dialogue({"messages": messages}, CHAT, {})
    assert [(turn.role, turn.content) for turn in found.turns] == [
        ("system", "Be short."),
        ("user", "Why is it red?"),
        ("assistant", "Iron."),
    ]


def test_choices_hold_the_answer_or_its_number():
    """Answer "1" of the choices red, blue is blue; an answer that is none of them is refused."""
    form = PAIRS.model_copy(update={"choices": "options"})
    row = {"prompt": "Sky?", "completion": "1", "options": ["red", "blue"]}

    assert to_dialogue(row, form, {}).answer == "blue"
    assert to_dialogue(row, form, {}).choices == ("red", "blue")
    with pytest.raises(RefusedError, match="the answer is none of them"):
        to_dialogue({**row, "completion": "green"}, form, {})
    with pytest.raises(RefusedError, match="two or more"):
        to_dialogue({**row, "options": ["blue"]}, form, {})
    with pytest.raises(
        UserError, match="an answer is number 2, and 2 choices are counted from 0 to 1.*subtract 1"
    ):
        to_dialogue({**row, "completion": "2"}, form, {})


@pytest.mark.parametrize(
    ("choices", "answer", "expected"),
    [
        (["8", "2", "24", "120"], 2, "24"),  # a number counts from 0, whatever the choices are
        (["red", "blue"], "1", "blue"),
        (["8", "9"], "9", "9"),
        (["0", "7"], "0", "0"),  # both ways it is the first
    ],
)
def test_a_number_is_an_index_and_digits_may_be_a_choice(choices, answer, expected):
    """An integer answer is a place in the list; a text is a choice, or else a place."""
    form = PAIRS.model_copy(update={"choices": "options"})
    row = {"prompt": "?", "completion": answer, "options": choices}
    assert to_dialogue(row, form, {}).answer == expected


def test_digits_that_mean_two_choices_are_refused():
    """ "2" is the second choice, and the number of the third."""
    form = PAIRS.model_copy(update={"choices": "options"})
    with pytest.raises(RefusedError, match="one of them and the number of another"):
        to_dialogue({"prompt": "?", "completion": "2", "options": ["8", "2", "24"]}, form, {})


def test_a_column_that_is_another_cells_is_read_once():
    """`instruction` is read from `input`: there is no input beside it."""
    form = Conversation(name="alpaca", columns="instruction")
    dialogue = to_dialogue({"input": "Add 1.", "output": "2"}, form, {"instruction": "input"})
    assert [turn.content for turn in dialogue.turns] == ["Add 1.", "2"]


def test_optional_columns_are_read_from_every_kind_of_file(tmp_path):
    """Alpaca's `input` and a `system` column, from JSONL and from Parquet: the same conversations."""
    rows = [
        {"instruction": f"Do {i}.", "input": f"this{i}", "system": "Be brief.", "output": f"done{i} now{i}"}
        for i in range(10)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = []
    for name in ("a.jsonl", "a.parquet"):
        value = {"name": "mine", "files": [str(tmp_path / name)], "format": "instruction"}
        found.append(prepare(config.dataset(value), SIZES, tmp_path / "cache"))
    assert found[0].fingerprints == found[1].fingerprints
    first = from_text(found[1].train[0])
    assert first.turns[0].content == "Be brief."
    assert "\n\nthis" in first.turns[1].content


def data_of(tmp_path, rows, **more):
    """A data set of conversations in a JSONL file."""
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return config.dataset({"name": "mine", "files": [str(file)], **more})


def questions(count):
    """Rows of a question and an answer with no words in common but a few."""
    return [
        {"q": f"question{i} alpha{i} beta{i}?", "a": f"answer{i} gamma{i}\n  delta{i}"} for i in range(count)
    ]


FIELDS = {"fields": {"prompt": "q", "completion": "a"}, "format": "prompt-completion"}
SIZES = DataSpec(train=6, validation=2, test=2)


def test_conversations_are_split_by_prompt_and_counted_like_documents(tmp_path):
    """20 rows, of them one with no answer and two of a prompt that another has: 17 prompts, one thrice."""
    rows = questions(17)
    rows += [{"q": rows[0]["q"], "a": f"other words entirely number {n}"} for n in (1, 2)]
    rows += [{"q": "no answer", "a": ""}]

    prepared = prepare(data_of(tmp_path, rows, **FIELDS), SIZES)

    report = prepared.report
    assert (report.rows.total, report.rows.accepted, report.documents) == (20, 19, 19)
    assert {reason: one.count for reason, one in report.refused.items()} == {"an empty answer": 1}
    splits = [
        {from_text(text).title for text in getattr(prepared, s)} for s in ("train", "validation", "test")
    ]
    assert [len(titles) for titles in splits[1:]] == [2, 2]
    assert not splits[0] & splits[1] | splits[0] & splits[2] | splits[1] & splits[2]
    assert "\n  delta" in from_text(prepared.test[0]).answer


def test_a_prompt_differs_by_its_signs_but_not_by_its_spaces(tmp_path):
    """`2 + 2` is another prompt than `2 - 2`, and the same as `2  +  2`: three rows, two prompts."""
    rows = [
        *questions(10),
        *({"q": q, "a": f"{q} word{n} w{n}"} for n, q in enumerate(("2 + 2", "2 - 2", "2  +  2"))),
    ]
    data = DataSpec(train=8, validation=2, test=2)

    report = prepare(data_of(tmp_path, rows, **FIELDS), data).report

    assert report.documents == 13
    assert report.sizes.excluded + report.sizes.unused == 1


def test_near_copies_of_a_conversation_are_dropped(tmp_path):
    """A row that repeats another but for one word of thirty is a near-copy, and is counted."""
    long = " ".join(f"w{n}" for n in range(30))
    rows = [*questions(12), {"q": "first?", "a": long}, {"q": "first?", "a": f"{long} more"}]

    report = prepare(data_of(tmp_path, rows, **FIELDS), SIZES).report

    assert (report.duplicates.near, report.documents) == (1, 13)


def test_near_copies_of_a_prompt_stay_on_one_side(tmp_path):
    """Ten prompts of thirty words, each asked thrice with one other word and another answer.

    Of two such prompts 25 of 31 triples are equal, 0.81. Apart, a held-out prompt has a near-copy in
    training; together, all three are on its side, or excluded: 4 of 10 prompts take 12 of 30 documents.
    """
    rows = [
        {
            "q": " ".join(f"v{v}" if k == 14 else f"p{n}w{k}" for k in range(30)),
            "a": f"answer {n} {v} other{n * 3 + v} words{n}x{v}",
        }
        for n in range(10)
        for v in range(3)
    ]

    def crossing(prepared):
        held_out = {from_text(t).title.split()[0] for t in (*prepared.validation, *prepared.test)}
        return held_out & {from_text(t).title.split()[0] for t in prepared.train}

    data = DataSpec(train=15, validation=3, test=3)
    apart, together = (
        prepare(data_of(tmp_path, rows, **FIELDS), data.model_copy(update={"near_prompts": how}))
        for how in ("apart", "together")
    )
    assert apart.report.documents == together.report.documents == 30
    assert crossing(apart)
    assert not crossing(together)
    assert len(together.train) == 15
    assert apart.clusters == {}
    labels = [
        (from_text(text).title.split()[0], together.clusters[document_id(text)]) for text in together.test
    ]
    assert len({label for _, label in labels}) == len(set(labels)) == len({first for first, _ in labels})


def test_a_system_prompt_that_all_share_makes_no_copies(tmp_path):
    """200 words of instructions before each of twelve questions: twelve conversations, not one."""
    system = " ".join(f"rule{n}" for n in range(200))
    rows = [
        {"messages": turns("system", system, "user", row["q"], "assistant", row["a"])}
        for row in questions(12)
    ]
    report = prepare(data_of(tmp_path, rows, format="chat"), SIZES).report
    assert (report.duplicates.near, report.documents) == (0, 12)


def test_a_conversation_that_another_begins_with_is_on_its_side(tmp_path):
    """Forty conversations, and each a turn longer: no answer that is tested is trained on in the other."""
    rows = []
    for n in range(40):
        first = turns("user", f"ask{n} alpha{n} beta{n}", "assistant", f"tell{n} gamma{n} delta{n}")
        more = turns(
            "user", f"and{n} then{n} what{n} now{n} again{n}", "assistant", f"last{n} words{n} of{n} it{n}"
        )
        rows += [{"messages": first}, {"messages": first + more}]
    done = prepare(data_of(tmp_path, rows, format="chat"), DataSpec(train=24, validation=6, test=10))
    begun = [
        {from_text(text).turns[0].content for text in split}
        for split in (done.train, done.validation, done.test)
    ]
    assert all(one.isdisjoint(other) for one, other in combinations(begun, 2))


def both_sides(prepared, part):
    """What test and training have in common of the conversations' ``part``."""
    held_out, trained = (
        {part(from_text(text)) for text in split} for split in (prepared.test, prepared.train)
    )
    return held_out & trained


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFC", "NFC")], ids=["forms", "system"])
def test_a_question_is_on_one_side_whatever_its_system_turn_and_its_unicode_form(tmp_path, forms):
    """Twenty questions with an accent, each under two system turns, or written in two ways."""
    systems = ("Be brief.", "Be kind.") if forms[0] == forms[1] else ("Be kind.", "Be kind.")
    rows = [
        {
            "messages": turns(
                "system", system, "user", unicodedata.normalize(form, f"où{n} é{n} à{n}?"),
                "assistant", f"answer{n} {place} word{n}x{place} other{n}y{place}",
            )
        }
        for n in range(20)
        for place, (system, form) in enumerate(zip(systems, forms, strict=True))
    ]  # fmt: skip
    done = prepare(data_of(tmp_path, rows, format="chat"), DataSpec(train=16, validation=4, test=8))
    assert not both_sides(done, lambda one: unicodedata.normalize("NFC", one.turns[-2].content))


def test_a_format_that_trains_on_everything_trains_on_earlier_answers(tmp_path):
    """Prompts of several turns, and each such prompt's first answer as a conversation of its own."""
    form = {"name": "all", "columns": "prompt-completion", "train_on": "everything"}
    rows = []
    for n in range(40):
        first = turns("user", f"ask{n} alpha{n} beta{n}", "assistant", f"tell{n} gamma{n} delta{n}")
        longer = [*first, *turns("user", f"and{n} then{n} what{n} now{n} again{n}")]
        rows += [
            {"prompt": first[:1], "completion": first[1:]},
            {"prompt": longer, "completion": turns("assistant", f"last{n} words{n} of{n} it{n}")},
        ]
    done = prepare(data_of(tmp_path, rows, format=form), DataSpec(train=24, validation=6, test=10))
    assert not both_sides(done, lambda one: one.turns[0].content)


def test_a_conversations_length_is_that_of_its_turns(tmp_path):
    """Ten questions of 5 characters, a line break, an answer of 14: 20, however they are stored."""
    rows = [{"q": f"ask {n}", "a": f"word{n} other{n} a"} for n in range(10)]

    lengths = prepare(data_of(tmp_path, rows, **FIELDS), SIZES).report.characters["train"]

    assert (lengths.mean, lengths.median, lengths.longest) == (20.0, 20, 20)


def test_what_labels_are_is_part_of_a_runs_identity_and_not_of_its_test_set(tmp_path):
    """`train_on: everything` changes the fingerprints of training and validation, and keeps that of test."""
    rows = questions(10)
    form = {"name": "mine", "columns": "prompt-completion"}
    answers, everything, gemma = (
        prepare(data_of(tmp_path, rows, fields=FIELDS["fields"], format={**form, **more}), SIZES).fingerprints
        for more in ({}, {"train_on": "everything"}, {"template": "gemma"})
    )

    assert answers["test"] == everything["test"] == gemma["test"]
    assert len({one["train"] for one in (answers, everything, gemma)}) == 3
    assert len({one["validation"] for one in (answers, everything, gemma)}) == 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"format": {"name": "both", "sections": [], "columns": "messages"}},
            "format both: 'sections' belongs to documents and 'columns' to conversations: two kinds of data",
        ),
        ({"format": "chat", "fields": {"prompt": "q"}}, "'prompt' is no column of format 'chat'"),
        ({"format": "chat"}, "no column 'messages'; found 'q', 'a'"),
        ({"format": "chat", "parser": "headed-lists"}, "'parser' reads documents with sections"),
    ],
)
def test_a_wrong_entry_is_one_line(tmp_path, entry, message):
    """Both kinds of data in one entry, a wrong field, a missing column, a parser."""
    with pytest.raises(UserError, match="^[^\n]*$") as error:
        prepare(data_of(tmp_path, questions(3), **entry), SIZES)
    assert message in str(error.value)


def test_documents_and_conversations_do_not_mix(tmp_path):
    """A mixture of a recipe data set and a chat is refused before anything is read."""
    parts = [
        {"dataset": "wikibooks", "weight": 1},
        {"dataset": {"name": "c", "files": ["c.jsonl"], "format": "chat"}, "weight": 1},
    ]
    with pytest.raises(UserError, match="documents and conversations are two kinds of data"):
        config.dataset({"name": "both", "mixture": parts})
