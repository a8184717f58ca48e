"""The sides of `bakeoff bench train`, each in a process of its own: ours, a tutorial's notebook, TRL.

The side is the argument. Reads one JSON object (`base`, `train`, `validation`, `method`, `learning_rate`) and
writes one.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VALIDATIONS = 8
LENGTH, ROWS = 512, 4  # the notebook's padded length and batch
WARMUP_SHARE = 200 / 3750  # its 200 warmup steps of three epochs of 5,000 recipes, four at a time


def ours(asked: dict[str, Any]) -> dict[str, Any]:
    """The toolkit's own training path, validated eight times on the way."""
    from toolkit import config
    from toolkit.events import ignore
    from toolkit.records import Step, read_lines
    from toolkit.records.folders import RunFolder
    from toolkit.specs import RunSpec, TrainSpec
    from toolkit.training.train import train

    spec = RunSpec(
        model=config.model({"name": "bench", "folder": asked["base"]}),
        dataset=None,
        data=None,
        method=config.method(asked["method"]),
        learning_rate=asked["learning_rate"],
        train=TrainSpec(validations=VALIDATIONS, max_length=LENGTH),
        seed=0,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder(Path(temporary), spec.run_id)
        record = train(spec, asked["train"], asked["validation"], asked["end"], folder, progress=ignore)
        steps = read_lines(folder.steps, Step)
    return {
        "tokens_per_second": record.costs.supervised_tokens_per_second,
        "peak_memory_bytes": record.costs.peak_memory_bytes,
        "cuda_allocated_bytes": record.costs.cuda_allocated_bytes,
        "peak_share": record.costs.peak_share,
        "validation_bits_per_byte": record.validation_bits_per_byte,
        "curve": [
            [s.seconds, s.validation_bits_per_byte] for s in steps if s.validation_bits_per_byte is not None
        ],
    }


def notebook(asked: dict[str, Any]) -> dict[str, Any]:
    """As tutorials do it: fp32, every recipe padded to 512 tokens, four a batch, Trainer's AdamW at 5e-5."""
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    tokenizer = AutoTokenizer.from_pretrained(asked["base"])
    tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(asked["base"])
    rows = [
        dict(tokenizer(text, truncation=True, max_length=LENGTH, padding="max_length"))
        for text in asked["train"]
    ]
    with tempfile.TemporaryDirectory() as temporary:
        settings = TrainingArguments(
            temporary,
            num_train_epochs=1,
            per_device_train_batch_size=ROWS,
            learning_rate=5e-5,
            warmup_steps=math.ceil(WARMUP_SHARE * len(rows) / ROWS),
            weight_decay=0.01,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=False)
        trainer = Trainer(model=model, args=settings, data_collator=collator, train_dataset=rows)
        supervised = sum(sum(row["attention_mask"]) - 1 for row in rows)
        return _timed(trainer, supervised, tokenizer, asked["validation"], "fp32")


def trl(asked: dict[str, Any]) -> dict[str, Any]:
    """TRL's SFTTrainer with bf16: at its defaults, or with the settings that ``asked["settings"]`` holds."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(asked["base"])
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    with tempfile.TemporaryDirectory() as temporary:
        settings = SFTConfig(
            temporary,
            bf16=True,
            use_cpu=not torch.cuda.is_available(),
            num_train_epochs=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **asked.get("settings", {}),
        )
        trainer = SFTTrainer(
            asked["base"],
            args=settings,
            train_dataset=Dataset.from_dict({"text": asked["train"]}),
            processing_class=tokenizer,
        )
        # by the texts: packing joins rows, and every token but a text's first is supervised
        supervised = sum(len(ids) for ids in tokenizer(asked["train"])["input_ids"])
        return _timed(trainer, supervised, tokenizer, asked["validation"], "bf16")


def _timed(
    trainer: Any, supervised: int, tokenizer: Any, validation: list[str], precision: str
) -> dict[str, Any]:
    """Train, with the clock stopped while the model is validated eight times on the way."""
    from toolkit import runtime
    from toolkit.training.step.loss import NextToken

    measure = _validation(validation, tokenizer, precision)
    curve = _Curve(lambda model: measure(model, NextToken(model))["eval_bits_per_byte"])
    trainer.add_callback(curve.callback())
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began - curve.paused
    return {
        "tokens_per_second": supervised / seconds,
        "seconds": seconds,
        "peak_memory_bytes": runtime.peak_memory_bytes(),
        "cuda_allocated_bytes": runtime.cuda_peaks()[0],
        "validation_bits_per_byte": curve.points[-1][1],
        "curve": curve.points,
    }


def _validation(texts: list[str], tokenizer: Any, precision: str) -> Any:
    from toolkit.training.validation import Validation

    return Validation(texts, tokenizer, 1024, precision)


class _Curve:
    """Training seconds and validation bits per byte, eight times over a training."""

    def __init__(self, measure: Callable[[Any], float]) -> None:
        self.measure = measure
        self.points: list[list[float]] = []
        self.paused = 0.0
        self._began = 0.0

    def callback(self) -> Any:
        """Return a TrainerCallback that validates at every eighth of the steps."""
        from transformers import TrainerCallback

        curve = self

        class Validate(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                curve._began = time.perf_counter()

            def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
                due = {max(1, round(state.max_steps * (i + 1) / VALIDATIONS)) for i in range(VALIDATIONS)}
                if state.global_step in due:
                    now = time.perf_counter()
                    seconds = now - curve._began - curve.paused
                    training = model.training
                    curve.points.append([seconds, curve.measure(model)])
                    model.train(training)
                    curve.paused += time.perf_counter() - now

        return Validate()


def main() -> None:
    """Entry point of a side's process."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not the answer
    asked = json.load(sys.stdin)
    with answer:
        json.dump({"ours": ours, "notebook": notebook, "trl": trl}[sys.argv[1]](asked), answer)


if __name__ == "__main__":
    main()
