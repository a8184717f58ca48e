"""A model of conversations is asked through its chat template, and stops at the end of its turn."""

from __future__ import annotations

import pytest

from eval.inference.generation import generate
from experiments.playground import side_by_side as asking
from experiments.playground.live.arms import Arm, Arms
from experiments.playground.live.writing import write
from experiments.playground.taste import page as taste
from tests.conftest import recipes, save_tiny, tokenizer_of
from tests.factories import FULL, small_run
from toolkit.data.conversations.template import ChatTemplate
from toolkit.models import load
from toolkit.records import Costs, Generation, Outcome, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import Conversation, DatasetSpec, Decoding, EvalSpec, ModelSpec

CHATML = Conversation(name="chat", template="chatml")
GREEDY = Decoding(name="t0", temperature=0, top_p=0.9)
QUESTION = "How  long\ndoes it bake?"


@pytest.fixture(scope="module")
def tiny_chat(tmp_path_factory):
    """A random two-layer Llama with the special tokens of ChatML."""
    tokenizer = tokenizer_of(recipes(40))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return save_tiny("llama", tmp_path_factory.mktemp("tiny") / "chat", tokenizer)


@pytest.fixture
def loaded(tiny_chat):
    """Model, tokenizer, and a template one of whose stops is the sixth token that the model writes."""
    spec = ModelSpec(name="tiny", folder=str(tiny_chat))
    model, tokenizer = load.load_base(spec).eval(), load.load_tokenizer(spec)
    template = ChatTemplate(CHATML, tokenizer)
    prompt = template.question(QUESTION)
    assert prompt == f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    written = model.generate(input_ids=ids, max_new_tokens=6, do_sample=False, pad_token_id=0)
    template.__dict__["stops"] = (int(written[0, -1]), tokenizer.eos_token_id)
    return model, tokenizer, template


def test_the_playground_writes_what_an_evaluation_would(loaded, tiny_chat):
    """The same question, greedy: the same text, which ends before the sixth token, at the end of the turn."""
    model, tokenizer, template = loaded
    spec = EvalSpec(prompts=("prompt",), max_new_tokens=12)
    prompts = [template.question(QUESTION)]
    evaluated = generate(model, tokenizer, prompts, "prompt", GREEDY, spec, template=template)[0]
    arms = Arms((Arm("base", model, _always),), tokenizer, 1)
    last = list(write(arms, ["base"], QUESTION, GREEDY, 12, 0, template))[-1]
    assert (last.text, last.ended) == (evaluated.text, "end_of_text")
    assert last.tokens == evaluated.tokens <= 5
    raw = list(write(arms, ["base"], QUESTION, GREEDY, 12, 0))[-1]
    assert raw.text != last.text


class _always:  # noqa: N801 - a context that changes nothing
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_generate_answers_a_question_with_the_answer_alone(tiny_chat, tmp_path, monkeypatch):
    """One method of a study of conversations: the row holds the question, and no mark of the template."""
    dataset = DatasetSpec(name="mine", files=("x.jsonl",), format=CHATML)
    run = small_run(tiny_chat, FULL).model_copy(update={"dataset": dataset})
    record = RunRecord(
        run_id=run.run_id, spec=run, status="finished", validation_bits_per_byte=1.0, data=None,
        costs=Costs(), precision="fp32", environment={},
    )  # fmt: skip
    folder = RunFolder(tmp_path, run.run_id)
    spec = ModelSpec(name="tiny", folder=str(tiny_chat))
    model, tokenizer = load.load_base(spec), load.load_tokenizer(spec)
    model.save_pretrained(folder.artifact)
    tokenizer.save_pretrained(folder.artifact)
    monkeypatch.setattr(asking, "read", lambda *_: None)
    monkeypatch.setattr(asking, "first_runs", lambda *_: [])
    monkeypatch.setattr(asking, "loadable", lambda *_, **__: {"full": (record, folder)})
    (row,) = asking.side_by_side(
        [QUESTION], study="s", temperatures=[0], top_p=0.9, max_new_tokens=5, seed=0, root=tmp_path,
        say=lambda _: None,
    )  # fmt: skip
    template = ChatTemplate(CHATML, tokenizer)
    settings = EvalSpec(prompts=("prompt",), max_new_tokens=5)
    (expected,) = generate(
        model.eval(), tokenizer, [template.question(QUESTION)], "prompt", GREEDY, settings, template=template
    )
    assert (row["title"], row["method"], row["text"]) == (QUESTION, "full", expected.text.strip())


def test_a_taste_test_shows_the_question_and_the_answer_as_they_are(tiny_chat, tmp_path, monkeypatch):
    """No `<|im_start|>` before the eyes of a rater, and line breaks stay."""
    dataset = DatasetSpec(name="mine", files=("x.jsonl",), format=CHATML)
    run = small_run(tiny_chat, FULL).model_copy(update={"dataset": dataset})
    generation = Generation(
        prompt_mode="prompt", decoding="t0", prompt=f"<|im_start|>user\n{QUESTION}<|im_end|>", tokens=3,
        text=" Ten\nminutes. ", ended="end_of_text",
    )  # fmt: skip
    outcome = Outcome(
        document_id="d", title=QUESTION, reference="{}", likelihood={}, generations=(generation,)
    )

    class Records:
        runs = {"r": type("Record", (), {"spec": run})}

        def outcomes(self, cell):
            return [outcome]

    cell = type("Cell", (), {"eval_digest": "e", "method": "full"})
    monkeypatch.setattr(taste, "first_runs", lambda *_: [cell])
    monkeypatch.setattr(taste.StudyRecords, "read", lambda *_: Records())
    texts, prompts = taste._texts(type("Conclusions", (), {"study": "s"}), tmp_path, ())
    assert (texts, prompts) == ({"full": {"d": "Ten\nminutes."}}, {"d": QUESTION})
