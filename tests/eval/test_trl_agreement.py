"""An adapter that TRL trained, taken in, scores what TRL's own evaluation says."""

from __future__ import annotations

import re

import pytest

from eval.inference.answers import answer_likelihoods
from tests.conftest import recipes, save_tiny, tokenizer_of
from tests.toolkit.data.conversations.conftest import SPECIAL, dialogues
from toolkit.data.conversations.template import ChatTemplate, template_text
from toolkit.data.conversations.turns import Dialogue, Turn, to_text
from toolkit.models import artifact
from toolkit.models.without_training import elsewhere
from toolkit.records.folders import RunFolder
from toolkit.specs import Conversation, MethodSpec, ModelSpec, RunSpec, TrainSpec

pytestmark = pytest.mark.slow  # importing TRL takes half a minute on a busy machine
HELD_OUT = 6


def trained_by_trl(base, tokenizer, template, rows, folder):
    """Train LoRA for four steps and save it in ``folder``; a function of a batch size to TRL's loss."""
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    tokenizer.chat_template = template
    given = [{"prompt": row[:-1], "completion": row[-1:]} for row in rows]
    settings = SFTConfig(
        output_dir=str(folder / "trainer"),
        max_steps=4,
        learning_rate=0.05,
        max_length=None,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        per_device_train_batch_size=4,
        save_strategy="no",
        report_to="none",
        seed=0,
    )
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        args=settings,
        train_dataset=datasets.Dataset.from_list(given[HELD_OUT:]),
        eval_dataset=datasets.Dataset.from_list(given[:HELD_OUT]),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    trainer.save_model(str(folder / "adapter"))

    def loss(batch_size):
        trainer.args.per_device_eval_batch_size = batch_size
        return trainer.evaluate()["eval_loss"]

    return before, loss


def test_trls_adapter_scores_its_eval_loss_per_token(tmp_path):
    """Six conversations in one batch: TRL's loss is our nats over our tokens, the turn's end included.

    In batches of one it is the mean of six means, which is another number: documents differ in length.
    """
    text = re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", template_text("llama3"))
    tokenizer = tokenizer_of(recipes(40))
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    base = save_tiny("llama", tmp_path / "base", tokenizer)
    fitting = [row for row in dialogues(60) if sum(len(turn["content"]) for turn in row) < 250]
    rows = fitting[: HELD_OUT + 16]  # beyond the model's 256 tokens, TRL takes positions it never had
    assert len(rows) == HELD_OUT + 16
    before, loss = trained_by_trl(base, tokenizer, text, rows, tmp_path)

    theirs = MethodSpec(name="theirs", adapter=str(tmp_path / "adapter"), trained_by="TRL")
    more = {"dataset": None, "data": None, "train": TrainSpec(), "learning_rate": None, "seed": 0}
    run = RunSpec(model=ModelSpec(name="tiny", folder=str(base)), method=elsewhere.pinned(theirs), **more)
    folder = RunFolder(tmp_path, run.run_id)
    folder.path.mkdir(parents=True)
    model, ours = artifact.load_run(elsewhere.take_in(run, folder), folder)
    (tmp_path / "own.jinja").write_text(text, encoding="utf-8")
    form = Conversation(name="x", columns="prompt-completion", template=str(tmp_path / "own.jinja"))
    stored = [to_text(Dialogue(tuple(Turn(**turn) for turn in row))) for row in rows[:HELD_OUT]]
    scored = answer_likelihoods(model, ChatTemplate(form, ours), stored, precision="fp32")
    nats = [sum(part.nll for part in one.values()) for one in scored]
    tokens = [sum(part.tokens for part in one.values()) for one in scored]

    per_token = sum(nats) / sum(tokens)
    per_document = sum(n / t for n, t in zip(nats, tokens, strict=True)) / HELD_OUT
    assert loss(HELD_OUT) == pytest.approx(per_token, rel=1e-5)
    assert loss(1) == pytest.approx(per_document, rel=1e-5)
    assert abs(per_token - per_document) > 1e-3
    assert per_token < before - 0.05
