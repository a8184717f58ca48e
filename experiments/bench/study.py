"""`bakeoff bench study`: overhead per run, and how the pipeline scales to many runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.bench.synthetic.finished import finish
from experiments.bench.synthetic.shapes import base_folder
from experiments.design import study as studies
from experiments.design.study import StudySpec
from experiments.design.study_state import StudyState
from experiments.running.executors.local import Local
from experiments.running.runner import jobs_of
from toolkit import runtime
from toolkit.records import EvaluationRecord, RunRecord
from toolkit.runtime import child_environment, machine, module_command

METHODS = 10
RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
TEST_DOCUMENTS = 48


def bench(cells: int = 500, many: int = 10_000) -> dict[str, Any]:
    """Measure on made-up records and a tiny random base.

    ``ratio`` is the time of a plain script (imports, loading, transformers' Trainer, saving; a process of its
    own) over the time of a cell that trains the same: 1 would be no overhead at all. The rest is a study of
    ``cells`` finished cells through the commands, and the records of ``many`` cells read one after the other.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bakeoff-bench-") as name,
        base_folder("tiny-shape") as base,
    ):
        folder = Path(name)
        plain, ours = _overhead(base, folder / "overhead")
        finished = _finished(base, folder / "finished", cells)
        read = _in_own_process("read", str(base), str(folder / "many"), str(many))
    return {
        "name": "study",
        "ratio": round(plain / ours, 2),
        "baseline": round(plain, 2),
        "ours": round(ours, 2),
        "unit": "seconds a cell: loaded, trained, saved; baseline: a plain script",
        "overhead_seconds_a_cell": round(ours - plain, 2),
        "finished_cells": cells,
        **finished,
        "records_read": many,
        **read,
        "machine": machine(),
    }


# --- a cell, and the same without the machinery


def _overhead(base: Path, root: Path) -> tuple[float, float]:
    """Seconds of a plain script and of a cell, two full and two LoRA, taken in turn; medians."""
    overrides = ["data={train: 100, validation: 10, test: 10}", "train={precision: fp32, validations: 1}"]
    asked = _study(base, "{full: [1e-4, 1e-3], lora-r16: [1e-4, 1e-3]}", *overrides)
    study_state = StudyState(asked, root).prepare()
    prepared = study_state.prepared(asked.dataset[0])
    texts = root / "texts.json"
    texts.write_text(json.dumps(list(prepared.train)), encoding="utf-8")
    jobs = [job for job in jobs_of(study_state, study_state.cells()) if job.evaluate is None]
    plain, ours = [], []
    for job in jobs:
        began = time.perf_counter()
        kind = "lora" if job.run.method.peft else "full"
        subprocess.run(
            _command("plain", str(base), str(texts), kind, str(root / "plain")),
            check=True,
            env=_one(),
            capture_output=True,
        )
        plain.append(time.perf_counter() - began)
        began = time.perf_counter()
        (error,) = Local(1)([job], lambda *_: None)
        if error:
            raise RuntimeError(error)
        ours.append(time.perf_counter() - began)
    return statistics.median(plain), statistics.median(ours)


def _one() -> dict[str, str]:
    return child_environment({"TOKENIZERS_PARALLELISM": "false"})


def _plain(base: str, texts: str, kind: str, target: str) -> None:
    """What a short script does: load, train for one epoch in batches of eight, save."""
    import peft
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    tokenizer.pad_token = tokenizer.eos_token
    if kind == "lora":
        wanted = peft.LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
        model = peft.get_peft_model(model, wanted)
    rows = tokenizer(json.loads(Path(texts).read_text(encoding="utf-8")), truncation=True, max_length=256)
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            output_dir=f"{target}-checkpoints", num_train_epochs=1, save_strategy="no", report_to="none",
            disable_tqdm=True, use_cpu=True,
        ),
        train_dataset=[{"input_ids": ids} for ids in rows["input_ids"]],
        data_collator=transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False),
    )  # fmt: skip
    trainer.train()
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


# --- many cells


def _finished(base: Path, root: Path, cells: int) -> dict[str, float]:
    """Seconds of `bakeoff plan`, `run` and `report` on a study whose cells are all finished."""
    overrides = many_cells(base, cells)
    study_state = StudyState(studies.load("quickstart", overrides), root).prepare()
    finish(study_state)
    seconds = {}
    for command in ("plan", "run", "report"):
        study = ["many"] if command == "report" else ["quickstart", *overrides]
        began = time.perf_counter()
        cli = module_command("experiments.cli", command, *study, "--root", str(root), "--json")
        subprocess.run(cli, check=True, capture_output=True, env=child_environment())
        seconds[f"{command}_seconds"] = round(time.perf_counter() - began, 2)
    return seconds


def many_cells(base: Path, cells: int) -> list[str]:
    """Overrides of the quickstart that make it a study of about so many cells."""
    methods = ", ".join(
        f"m{i}: {{peft: {{peft_type: LORA, r: {i + 1}}}, learning_rates: {list(RATES)}}}"
        for i in range(METHODS)
    )
    seeds = list(range(max(1, round(cells / METHODS) - len(RATES))))
    return [
        "name=many",
        f"base_models={{name: tiny, folder: '{base}'}}",
        f"methods={{{methods}}}",
        f"seeds={seeds}",
        "tuning_seeds=[1000000]",
        f"data={{train: 100, validation: 10, test: {TEST_DOCUMENTS}}}",
    ]


def _read(base: str, root: str, many: str) -> dict[str, float]:
    """Make the records of so many cells and read them, as the report and the conclusions do; peak memory."""
    study = studies.load("quickstart", many_cells(Path(base), int(many)))
    study_state = StudyState(study, Path(root)).prepare()
    folders = [study_state.root.run(cell.run.run_id) for cell in finish(study_state)]
    before = runtime.peak_memory_bytes()
    began = time.perf_counter()
    kept: list[Any] = []
    for folder in folders:
        kept.append(RunRecord.read(folder.record))
        kept += [EvaluationRecord.read(path) for path in folder.evaluations()]
    seconds = time.perf_counter() - began
    peak = runtime.peak_memory_bytes()
    return {
        "read_seconds": round(seconds, 2),
        "read_peak_memory_bytes": peak,
        "read_memory_before_bytes": before,
    }


def _study(base: Path, methods: str, *overrides: str) -> StudySpec:
    model = f"base_models={{name: tiny, folder: '{base}'}}"
    return studies.load("quickstart", ["name=bench", model, f"methods={methods}", *overrides])


# --- processes of their own


def _command(*arguments: str) -> list[str]:
    return module_command("experiments.bench.study", *arguments)


def _in_own_process(*arguments: str) -> dict[str, float]:
    done = subprocess.run(
        _command(*arguments), check=True, capture_output=True, text=True, env=child_environment()
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "read":
        sys.stdout.write(json.dumps(_read(*sys.argv[2:])))
    else:
        _plain(*sys.argv[2:])
