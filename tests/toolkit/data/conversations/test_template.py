"""What a chat template makes of a conversation: text, stops, labels; and one line when it can't."""

from __future__ import annotations

import pytest

from tests.toolkit.data.conversations.conftest import dialogues
from toolkit.catalog import CATALOG
from toolkit.data import batches
from toolkit.data.conversations.labels import (
    CONTEXT,
    END,
    IGNORED,
    LABEL,
    Row,
    ends_of,
    labels_of,
    supervised,
)
from toolkit.data.conversations.template import ChatTemplate, check_template
from toolkit.data.conversations.turns import Dialogue, Turn, answer_bytes, to_text
from toolkit.errors import UserError
from toolkit.specs import Conversation

TWO = Dialogue(
    (
        Turn("user", "Add flour."),
        Turn("assistant", "the flour"),
        Turn("user", "stir"),
        Turn("assistant", "Add the"),
    )
)
NAMES = sorted(file.stem for file in (CATALOG / "templates").glob("*.jinja"))


def test_the_catalog_has_six_templates():
    """Four of well-known models, plain ChatML, and one for bases without chat tokens."""
    assert NAMES == ["chatml", "gemma", "llama3", "plain", "qwen", "smollm2"]


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_begins_the_whole_and_the_answer_follows(name, chat_tokenizer):
    """`prompt + answer + end of turn` is the whole text, and what is prompted with holds no last answer."""
    template = ChatTemplate(Conversation(name="x", template=name), chat_tokenizer)
    prompt, whole = template.prompt(TWO), template.render(TWO.messages)

    assert whole.startswith(prompt + "Add the")
    assert "Add the" not in prompt
    end = chat_tokenizer.convert_ids_to_tokens(template.stops[0])
    assert whole.removeprefix(prompt + "Add the").strip() == end
    assert template.stops[-1] == chat_tokenizer.eos_token_id


def test_labels_are_the_answers_with_the_ends_of_their_turns(chat_tokenizer):
    """ChatML: of two turns, labels decode to both answers, each with its end and line break."""
    form = Conversation(name="x", template="chatml")
    row = batches.encode([to_text(TWO)], chat_tokenizer, form=form).ids[0]
    labels = [label for label in labels_of(row) if label != IGNORED]

    assert isinstance(row, Row)
    assert chat_tokenizer.decode(labels) == "the flour<|im_end|>\nAdd the<|im_end|>\n"
    assert supervised(row) == len(labels) == sum(kind != CONTEXT for kind in row.kinds)
    assert chat_tokenizer.decode([row[i] for i in ends_of(row)]) == "<|im_end|>\n<|im_end|>\n"
    assert answer_bytes(TWO, form, str) == len("the flour" + "Add the")
    assert set(row.kinds) == {CONTEXT, LABEL, END}


def test_of_pairs_only_the_completion_is_a_label(chat_tokenizer):
    """`prompt-completion`: the first answer is part of the prompt, so labels are the last one's alone."""
    form = Conversation(name="x", template="chatml", columns="prompt-completion")
    row = batches.encode([to_text(TWO)], chat_tokenizer, form=form).ids[0]

    assert chat_tokenizer.decode([i for i in labels_of(row) if i != IGNORED]) == "Add the<|im_end|>\n"
    assert answer_bytes(TWO, form, str) == len("Add the")


def test_a_row_ends_well_if_its_last_label_ends_a_turn(chat_tokenizer):
    """Of two rows the second one's last answer has no end, though its first has: one in two."""
    ended = Row([5, 6, 7, 8, 9], bytes([CONTEXT, END, CONTEXT, LABEL, END]))
    open_ended = Row([5, 6, 7, 8, 9], bytes([CONTEXT, END, CONTEXT, LABEL, CONTEXT]))
    assert batches.end_label_share([ended, open_ended], chat_tokenizer, "") == 0.5


def texts(count):
    """Stored conversations."""
    return [to_text(Dialogue(tuple(Turn(**turn) for turn in row))) for row in dialogues(count)]


def test_too_long_is_left_out_and_counted_never_cut(chat_tokenizer):
    """Of 40 conversations those over the median length are left out, and the others are as before."""
    form = Conversation(name="x", template="llama3")
    whole = batches.encode(texts(40), chat_tokenizer, form=form).ids
    limit = sorted(map(len, whole))[20]
    short = batches.encode(texts(40), chat_tokenizer, limit, form)

    assert short.ids == [row for row in whole if len(row) <= limit]
    assert short.too_long == sum(len(row) > limit for row in whole) > 0
    with pytest.raises(UserError, match="leaves no document"):
        batches.encode(texts(40), chat_tokenizer, 3, form)


def test_the_cache_gives_back_ids_and_labels(chat_tokenizer, tmp_path):
    """Encoded once, read back twice; `train_on: everything` has a file of its own."""
    form = Conversation(name="x", template="qwen")
    fresh = batches.encode(texts(9), chat_tokenizer, form=form).ids
    for _ in range(2):
        stored = batches.encode_once(texts(9), chat_tokenizer, None, tmp_path, form).ids
        assert stored == fresh
        assert [row.kinds for row in stored] == [row.kinds for row in fresh]
    batches.encode_once(
        texts(9), chat_tokenizer, None, tmp_path, form.model_copy(update={"train_on": "everything"})
    )
    assert len(list(tmp_path.glob("tokens-*.npz"))) == 2


def test_batches_and_packs_hold_the_same_labels(chat_tokenizer):
    """Padded rows and rows laid end to end have the labels of `labels_of`, and ignore all else."""
    rows = batches.encode(texts(3), chat_tokenizer, form=Conversation(name="x", template="smollm2")).ids
    padded, packed = batches.collate(rows, 0)["labels"], batches.pack(rows)["labels"]

    expected = [labels_of(row) for row in rows]
    longest = max(map(len, rows))
    assert padded.tolist() == [labels + [IGNORED] * (longest - len(labels)) for labels in expected]
    assert packed.tolist() == [sum(expected, [])]
    assert 0 < sum(label != IGNORED for label in packed[0].tolist()) < packed.numel()


def test_a_tokenizer_without_a_template_is_one_line(tiny_tokenizer):
    """It names the remedy: a template of the catalog, or a file."""
    with pytest.raises(
        UserError, match=r"has no chat template. Name one in the format, `template:` chatml, gemma"
    ):
        ChatTemplate(Conversation(name="chat"), tiny_tokenizer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{{ raise_exception('no system turns here') }}",
            "refuses a conversation of user, .*: no system turns here",
        ),
        ("{{ messages[0].content + 1 }}", "refuses a conversation of user"),
        ("{% for m in messages %}", "refuses a conversation of user"),
        ("{{ messages[0].content }}", "leaves out the answer 'Add the'"),
        ("", "is empty"),
    ],
)
def test_a_template_that_raises_or_drops_the_answer_is_one_line(text, message, chat_tokenizer, tmp_path):
    """Whatever the template does, the error names it and the conversation."""
    file = tmp_path / "bad.jinja"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"chat template .*bad.jinja'?:? {message}") as error:
        batches.encode([to_text(TWO)], chat_tokenizer, form=Conversation(name="x", template=str(file)))
    assert "\n" not in str(error.value)


def test_an_unknown_or_missing_template_is_one_line(chat_tokenizer, tmp_path):
    """A mistyped name gets the nearest one; a missing file is named."""
    with pytest.raises(UserError, match="unknown chat template 'gema'.*gemma"):
        ChatTemplate(Conversation(name="x", template="gema"), chat_tokenizer)
    with pytest.raises(UserError, match="cannot read chat template .*none.jinja"):
        ChatTemplate(Conversation(name="x", template=str(tmp_path / "none.jinja")), chat_tokenizer)


THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if loop.last and m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Writes an empty block of thoughts before the last answer, and none where the model is asked to write."""
ASKED_OTHERWISE = THINKING.replace("<think>\n\n</think>\n\n", "").replace(
    "assistant\n{%", "assistant\n<think>{%"
)
ENDLESS = THINKING.replace("<think>\n\n</think>\n\n", "").replace("<|im_end|>", "[/turn]")


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (THINKING, "messages", r"answer does not follow its prompt: after '.*assistant' comes '<think>"),
        (THINKING, "prompt-completion", r"answer does not follow its prompt"),
        (
            ASKED_OTHERWISE,
            "messages",
            r"answer does not follow its prompt: after '.*assistant\\n<think>' comes",
        ),
        (
            ENDLESS,
            "messages",
            r"what follows an answer, '\[/turn\]\\n', has no token by which a text of this base",
        ),
    ],
)
def test_a_template_whose_labels_would_be_of_other_text_is_refused(
    text, columns, message, chat_tokenizer, tmp_path
):
    """Blocks of thoughts that only training or only asking has, and an end of turn that is no token."""
    file = tmp_path / "own.jinja"
    file.write_text(text, encoding="utf-8")
    form = Conversation(name="x", columns=columns, template=str(file))
    with pytest.raises(UserError, match=message):
        check_template(form, chat_tokenizer, [to_text(TWO)])


@pytest.mark.parametrize("name", NAMES)
def test_every_template_of_the_catalog_passes_with_and_without_a_system_turn(name, chat_tokenizer):
    """Answers follow their prompts and end."""
    system = TWO._replace(turns=(Turn("system", "Be brief."), *TWO.turns))
    for columns in ("messages", "prompt-completion"):
        form = Conversation(name="x", columns=columns, template=name)
        check_template(form, chat_tokenizer, [to_text(TWO), to_text(system)])


def test_a_template_that_prints_the_date_prints_the_same_on_every_day(chat_tokenizer, tmp_path):
    """transformers gives templates today's date: two days would have two prompts under one evaluation."""
    file = tmp_path / "dated.jinja"
    file.write_text("Today: {{ strftime_now('%d %b %Y') }} {{ messages[0].content }}", encoding="utf-8")
    template = ChatTemplate(Conversation(name="x", template=str(file)), chat_tokenizer)
    assert template.question("Which?") == "Today: 26 Jul 2024 Which?"


@pytest.mark.parametrize(("name", "text"), [("chatml", " Paris\n"), ("gemma", "Paris"), ("llama3", "Paris")])
def test_an_answer_is_as_long_as_the_template_shows_it(name, text, chat_tokenizer):
    """Gemma's and Llama's templates cut off white space: it is no byte of what is scored."""
    template = ChatTemplate(Conversation(name="x", template=name), chat_tokenizer)
    assert template.shown(" Paris\n") == text
    form = Conversation(name="x", template=name, columns="messages")
    asked = Dialogue((Turn("user", "Capital?"), Turn("assistant", " Paris\n")))
    assert answer_bytes(asked, form, template.shown) == len(text)
