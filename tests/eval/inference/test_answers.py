"""A model on conversations: likelihoods of answers and choices, and texts that end with the turn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from eval.inference.answers import answer_likelihoods, choice_likelihoods
from eval.inference.generation import generate
from eval.inference.outcomes import outcomes
from eval.metrics import Context, measure, metric
from tests.conftest import recipes, save_tiny, tokenizer_of
from tests.factories import FULL, small_run
from toolkit.data.conversations.template import ChatTemplate
from toolkit.data.conversations.turns import Dialogue, Turn, from_text, to_text
from toolkit.errors import UserError
from toolkit.events import StepTaken, ignore
from toolkit.models import load
from toolkit.records.folders import RunFolder
from toolkit.specs import Conversation, DatasetSpec, Decoding, EvalSpec, ModelSpec
from toolkit.training.train import train

CHATML = Conversation(name="chat", template="chatml")
GREEDY = Decoding(name="greedy", temperature=0)
FOODS = ("flour", "sugar", "butter", "eggs", "milk", "salt", "rice", "beans")


def texts(count: int, choices: bool = False) -> list[str]:
    """Stored questions, each with an answer of a few words; with ``choices`` one of three foods."""
    made = []
    for n in range(count):
        turns = (Turn("user", f"Dish number {n}?"), Turn("assistant", f"Add the {FOODS[n % 8]} and stir {n}"))
        options = tuple(f"{FOODS[(n + k) % 8]} {'and stir ' * k}".strip() for k in range(3))
        if choices:
            turns = (turns[0], Turn("assistant", options[n % 3]))
        made.append(to_text(Dialogue(turns, options if choices else ())))
    return made


@pytest.fixture(scope="module")
def tiny_chat(tmp_path_factory) -> Path:
    """A random two-layer Llama with the special tokens of ChatML, in a folder."""
    tokenizer = tokenizer_of(recipes(40))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return save_tiny("llama", tmp_path_factory.mktemp("tiny") / "chat", tokenizer)


@pytest.fixture
def loaded(tiny_chat):
    """Model, tokenizer and template."""
    spec = ModelSpec(name="tiny", folder=str(tiny_chat))
    tokenizer = load.load_tokenizer(spec)
    return load.load_base(spec).eval(), tokenizer, ChatTemplate(CHATML, tokenizer)


def test_an_answers_likelihood_is_that_of_its_tokens_after_the_prompt(loaded):
    """Log-softmax of the whole row, summed over the answer's tokens; the stop is the next one alone."""
    import torch

    model, tokenizer, template = loaded
    (text,) = texts(1)
    found = answer_likelihoods(model, template, [text], precision="fp32")[0]

    prompt = tokenizer(template.prompt(from_text(text)), add_special_tokens=False)["input_ids"]
    ids = template.ids(from_text(text).messages)
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    nll = [-float(logs[i - 1, ids[i]]) for i in range(len(prompt), len(ids))]
    answer = tokenizer(from_text(text).answer, add_special_tokens=False)["input_ids"]
    assert found["answer"].tokens == len(answer)
    assert found["answer"].nll == pytest.approx(sum(nll[: len(answer)]), rel=1e-5)
    assert found["stop"].nll == pytest.approx(nll[len(answer)], rel=1e-5)
    assert found["answer"].bytes == len(b"Add the flour and stir 0")


def test_choices_equal_lm_evaluation_harness(tiny_chat, loaded):
    """Log-likelihoods of 24 x 3 choices, and both accuracies, are those that its own code gives."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model, tokenizer, template = loaded
    rows = texts(24, choices=True)
    found = choice_likelihoods(model, template, rows, precision="fp32")
    requests = []
    for row in rows:
        prompt = template.prompt(from_text(row))
        requests += [(prompt, choice) for choice in from_text(row).choices]
    harness = HFLM(pretrained=str(tiny_chat), device="cpu", dtype="float32", batch_size=8)
    instances = [Instance("loglikelihood", {}, pair, n) for n, pair in enumerate(requests)]
    lls = [ll for ll, _ in harness.loglikelihood(instances, disable_tqdm=True)]

    ours = [-choice.nll for choices in found for choice in choices]
    assert ours == pytest.approx(lls, rel=1e-5)
    accuracy, by_length = [], []
    for n, row in enumerate(rows):  # lm_eval.api.task.ConfigurableTask.process_results
        choices, scores = from_text(row).choices, np.array(lls[3 * n : 3 * n + 3])
        gold = choices.index(from_text(row).answer)
        accuracy.append(np.argmax(scores) == gold)
        by_length.append(np.argmax(scores / np.array([float(len(c)) for c in choices])) == gold)
    form = CHATML.model_copy(update={"choices": "options"})
    done, _ = outcomes(
        model, tokenizer, rows, form, EvalSpec(prompts=("prompt",), max_new_tokens=2), precision="fp32"
    )
    context = Context(form=form)
    assert measure(metric("choice_accuracy"), done, context)[0].value == np.mean(accuracy)
    assert measure(metric("choice_accuracy_by_length"), done, context)[0].value == np.mean(by_length)
    assert 0 < np.mean(accuracy) < 1
    assert accuracy != by_length


def test_a_text_ends_with_the_turn(loaded):
    """Of 12 greedy tokens the sixth is declared the end of a turn: it and what follows are not written."""
    import torch

    model, tokenizer, template = loaded
    prompts = [template.prompt(from_text(text)) for text in texts(3)]
    spec = EvalSpec(prompts=("prompt",), max_new_tokens=12)
    ids = tokenizer(prompts[0], add_special_tokens=False)["input_ids"]
    written: list[int] = []
    with torch.no_grad():
        for _ in range(12):
            written.append(int(model(torch.tensor([ids + written])).logits[0, -1].argmax()))
    end = written[5]
    template.__dict__["stops"] = (end, tokenizer.eos_token_id)

    for batched in (True, False):
        stopped = generate(
            model, tokenizer, prompts, "prompt", GREEDY, spec, template=template, batched=batched
        )[0]
        assert stopped.ended == "end_of_text"
        assert stopped.tokens == written.index(end) <= 5
        assert stopped.text == tokenizer.decode(written[: written.index(end)], skip_special_tokens=True)


def test_the_prompt_is_the_templates_and_nothing_before_it(loaded):
    """The model is fed what the template renders, without another begin-of-text: its first greedy token."""
    import torch

    model, tokenizer, template = loaded
    prompt = template.prompt(from_text(texts(1)[0]))
    assert prompt == "<|im_start|>user\nDish number 0?<|im_end|>\n<|im_start|>assistant\n"
    written = generate(
        model, tokenizer, [prompt], "prompt", GREEDY, EvalSpec(max_new_tokens=1), template=template
    )[0]
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        first = int(model(torch.tensor([ids])).logits[0, -1].argmax())
    assert written.text == tokenizer.decode([first], skip_special_tokens=True)


def test_a_prompt_that_fills_the_context_is_one_line(loaded):
    """256 tokens of context, and a prompt of more."""
    model, tokenizer, template = loaded
    long = template.render([{"role": "user", "content": "stir " * 400}], prompt=True)
    with pytest.raises(UserError, match="every prompt fills the model's context of 256 tokens"):
        generate(model, tokenizer, [long], "prompt", GREEDY, EvalSpec(), template=template)


@pytest.mark.parametrize("packing", [False, True])
def test_training_on_conversations_that_was_stopped_ends_with_the_same_weights(tiny_chat, tmp_path, packing):
    """Stopped at the third of six steps and resumed: equal to the last bit, labels of answers included."""
    dataset = DatasetSpec(name="mine", files=("x.jsonl",), format=CHATML)
    run = small_run(tiny_chat, FULL, epochs=3, packing=packing).model_copy(update={"dataset": dataset})
    steps = []

    def stop(event):
        if isinstance(event, StepTaken):
            steps.append(event.step)
            if event.step == 3:
                raise InterruptedError

    def fit(root, progress):
        folder = RunFolder(root, run.run_id)
        record = train(run, texts(32), texts(36)[32:], "", folder, progress=progress, checkpoint_seconds=0)
        return record, load_file(folder.artifact / "model.safetensors")

    with pytest.raises(InterruptedError):
        fit(tmp_path / "stopped", stop)
    assert steps == [1, 2, 3]
    record, resumed = fit(tmp_path / "stopped", steps.append)
    assert record.costs.interruptions == 1
    taken = [event.step for event in steps if isinstance(event, StepTaken)]
    assert taken[0] > 1
    straight, whole = fit(tmp_path / "whole", ignore)
    assert record.data == straight.data
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize("packing", [False, True])
def test_training_on_conversations_learns_the_answers(tiny_chat, tmp_path, packing):
    """Full fine-tuning on 32 questions: bits per byte of the answers fall, and the template is saved."""
    dataset = DatasetSpec(name="mine", files=("x.jsonl",), format=CHATML)
    run = small_run(tiny_chat, FULL, epochs=3, packing=packing).model_copy(update={"dataset": dataset})
    folder = RunFolder(tmp_path, run.run_id)
    lines = []

    record = train(run, texts(32), texts(40)[32:], "", folder, progress=lines.append)

    assert record.data is not None
    assert record.data.documents == 32
    assert record.data.end_labels == 1.0
    assert record.data.tokens < 32 * 40
    steps = [line for line in lines if hasattr(line, "bits_per_byte")]
    assert record.validation_bits_per_byte is not None
    assert math.isfinite(record.validation_bits_per_byte)
    assert steps[0].bits_per_byte > 1.2 * record.validation_bits_per_byte
    saved = load.load_tokenizer(ModelSpec(name="saved", folder=str(folder.artifact)))
    assert "<|im_start|>" in saved.chat_template
