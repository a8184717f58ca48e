"""Labels equal those of TRL's SFTTrainer, token for token."""

from __future__ import annotations

import re

import pytest

from tests.toolkit.data.conversations.conftest import dialogues
from toolkit.data.conversations.labels import IGNORED, Row
from toolkit.data.conversations.template import ChatTemplate, template_text
from toolkit.data.conversations.turns import Dialogue, Turn
from toolkit.specs import Conversation

pytestmark = pytest.mark.slow  # importing TRL takes half a minute on a busy machine
FOUR = ("smollm2", "llama3", "gemma", "qwen")
SEVERAL = 60
KINDS = {"messages": "messages", "prompt-completion": "prompt-completion", "everything": "messages"}


def trl_rows(rows, tokenizer, template, *, assistant_only, completion_only):
    """Token ids and labels as SFTTrainer's own preparation makes them, no model needed."""
    import datasets
    from trl import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    datasets.disable_progress_bars()
    trainer = SFTTrainer.__new__(SFTTrainer)
    trainer._tokenizer, trainer.chat_template = tokenizer, template
    trainer.completion_only_loss = completion_only
    settings = SFTConfig(
        output_dir="none",
        max_length=None,
        assistant_only_loss=assistant_only,
        shuffle_dataset=False,
        use_cpu=True,
    )
    made = trainer._prepare_dataset(
        datasets.Dataset.from_list(rows), tokenizer, settings, False, None, "train"
    )
    return [(row["input_ids"], row["labels"]) for row in made]


def our_rows(rows, tokenizer, template):
    """Token ids and labels as ours, the first token's included: the loss never looks at it."""
    pairs = []
    for messages in rows:
        turns = tuple(Turn(**message) for message in messages)
        row = Row(*template.encode(Dialogue(turns)))
        pairs.append((list(row), [t if k else IGNORED for t, k in zip(row, row.kinds, strict=True)]))
    return pairs


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_a_thousand_rows_equal_trls(name, kind, chat_tokenizer, tmp_path):
    """As below, on 1,000 rows."""
    compare(name, kind, 1000, chat_tokenizer, tmp_path)


@pytest.mark.parametrize(("name", "kind"), [*zip(FOUR, [*KINDS, "messages"], strict=True)])
def test_labels_equal_trls_token_for_token(name, kind, chat_tokenizer, tmp_path):
    """60 rows of each template, several turns, system turns: every id and every label is TRL's."""
    compare(name, kind, SEVERAL, chat_tokenizer, tmp_path)


def compare(name, kind, count, chat_tokenizer, tmp_path):
    """Compare all ids and labels of ``count`` rows.

    `messages` compares `{% generation %}` marks with TRL's assistant-only loss; `prompt-completion` the last
    answer with its completion-only loss, without any mark; `everything` all tokens.
    """
    rows = dialogues(count)
    text = template_text(name)
    if kind == "prompt-completion":
        text = re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", text)
        given = [{"prompt": row[:-1], "completion": row[-1:]} for row in rows]
    else:
        given = [{"messages": row} for row in rows]
    file = tmp_path / "own.jinja"
    file.write_text(text, encoding="utf-8")
    train_on = "everything" if kind == "everything" else "answers"
    form = Conversation(name="x", columns=KINDS[kind], template=str(file), train_on=train_on)
    template = ChatTemplate(form, chat_tokenizer)
    assert template.marked == (kind != "prompt-completion")

    ours = our_rows(rows, chat_tokenizer, template)
    theirs = trl_rows(
        given,
        chat_tokenizer,
        text,
        assistant_only=kind == "messages",
        completion_only=kind == "prompt-completion",
    )

    assert len(ours) == count
    assert ours == theirs
    labelled = sum(label != IGNORED for _, labels in ours for label in labels)
    total = sum(len(ids) for ids, _ in ours)
    assert labelled == total if kind == "everything" else 0.1 * total < labelled < 0.8 * total
