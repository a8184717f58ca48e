"""`bakeoff bench start`: where the seconds go from the start of a run's process to its first step.

`python -m experiments.bench.training.start SIDE BEGAN` is one side's process: `ours`, a run's worker with a
stopwatch, or `baseline`, a script that loads the same base and takes a step with transformers' Trainer. A
fork server starts `ours`, too, as in a study with several runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiments.bench.training.stopwatch import Stopwatch

SPANS = (
    "python", "imports", "locating", "loading", "adapting", "preparing", "probing", "validation", "step",
    "other",
)  # fmt: skip
"""Starting Python; importing packages; finding, hashing and converting the base's files; reading weights and
tokenizer; making the method's weights trainable; documents and batches; trying the model out; the validation
before the first step; that step."""
DOCUMENTS = {"train": 180, "validation": 40, "test": 1, "max_characters": 1000}
"""The quickstart's."""
ROWS = 4
"""Of a batch of the script."""


class Reached(BaseException):  # noqa: N818 - it ends the run as planned, and no `except Exception` may stop it
    """The first step is done."""


def bench(base: str, repeats: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Start runs of the quickstart's size ``repeats`` times each and return medians of each span's seconds.

    ``ratio`` is the time of a script of transformers' Trainer, which neither probes nor validates, over that
    of our full fine-tuning from the same folder. *Next run*: forked by a server that has forked one
    before, as every run of a study but the first. A base that is a GGUF file is also started from the file,
    as studies do: once converted before, and once for the first time.
    """
    from experiments.bench.synthetic.shapes import base_folder, model_at
    from toolkit import config
    from toolkit.runtime import machine

    with base_folder(base) as folder, tempfile.TemporaryDirectory(prefix="bakeoff-bench-") as temporary:
        cases = {
            "script": (model_at(str(folder)), "full"),
            "full": (model_at(str(folder)), "full"),
            "lora-r16": (model_at(str(folder)), "lora-r16"),
            "full, next run": (model_at(str(folder)), "full"),
            "lora-r16, next run": (model_at(str(folder)), "lora-r16"),
        }
        if base in config.catalog("models") and config.model(base).gguf:
            cases |= {name: (config.model(base), "full") for name in ("gguf", "gguf, first time")}
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
        for turn in range(repeats):
            for name, (model, method) in cases.items():
                say(f"turn {turn + 1} of {repeats}: {name}")
                measured[name].append(_started(name, model, method, Path(temporary)))
    totals = {name: statistics.median(sum(t.values()) for t in turns) for name, turns in measured.items()}
    return {
        "name": "start",
        "ratio": round(totals["script"] / totals["full"], 2),
        "baseline": round(totals["script"], 2),
        "ours": round(totals["full"], 2),
        "unit": "seconds to the end of the first step; baseline: a script without probes and validation",
        "base_model": base,
        "repeats": repeats,
        "seconds": {name: round(total, 2) for name, total in totals.items()},
        "spans": {name: _medians(turns) for name, turns in measured.items()},
        "machine": machine(),
    }


def _medians(turns: list[dict[str, float]]) -> dict[str, float]:
    present = [name for name in SPANS if any(name in turn for turn in turns)]
    return {name: round(statistics.median(turn.get(name, 0.0) for turn in turns), 3) for name in present}


def _started(name: str, model: Any, method: str, root: Path) -> dict[str, float]:
    """Return the seconds of each span of one start, in a process with a run's settings."""
    from experiments.bench.training.jobs import job
    from experiments.running.executors.process import ENVIRONMENT
    from toolkit.runtime import child_environment, module_command
    from toolkit.specs import DataSpec, TrainSpec

    planned = job(root, model, method, DataSpec(**DOCUMENTS), train=TrainSpec(validations=2))
    if name.endswith("next run"):
        return _forked(name, planned.model_dump_json(), root)
    extra = dict(ENVIRONMENT)
    with tempfile.TemporaryDirectory(prefix="bakeoff-cache-") as cache:
        if name.endswith("first time"):
            extra["XDG_CACHE_HOME"] = cache  # nothing has been converted there
        side = "baseline" if name == "script" else "ours"
        done = subprocess.run(
            module_command(__name__, side, str(time.time())),
            input=planned.model_dump_json(),
            env=child_environment(extra),
            capture_output=True,
            text=True,
            check=False,
        )
    return _spans(name, done.returncode, done.stdout, done.stderr)


def _forked(name: str, planned: str, root: Path) -> dict[str, float]:
    from experiments.running.executors.forking import ForkServer
    from experiments.running.executors.process import ENVIRONMENT

    forks, log = ForkServer(ENVIRONMENT), root / "log"
    try:
        first = forks.start(__name__, ["nothing", "0"], {}, log)
        first.stdin.close()
        first.wait()
        process = forks.start(__name__, ["ours", str(time.time())], {}, log)
        with process.stdin as stdin:
            stdin.write(planned)
        text = process.stdout.read()
        return _spans(name, process.wait(), text, log.read_text(encoding="utf-8"))
    finally:
        forks.close()


def _spans(name: str, code: int, text: str, errors: str) -> dict[str, float]:
    """The seconds that a side has written. Raises UserError with its last line if it failed."""
    from toolkit.errors import UserError

    if code:
        raise UserError(f"bench start, {name}: {(errors.strip() or 'no message').splitlines()[-1]}")
    spans: dict[str, float] = json.loads(text.splitlines()[-1])
    return spans


def ours(watch: Stopwatch, text: str) -> None:
    """A run's worker until its first step is done."""
    from experiments.running import worker
    from experiments.running.job import Job, unused_packages_hidden
    from toolkit.events import Event, StepTaken

    planned = Job.model_validate_json(text)

    def listen(event: Event) -> None:
        if isinstance(event, StepTaken):
            raise Reached

    with unused_packages_hidden(planned):
        _watch_the_run(watch)
        worker.work(planned, listen)


def _watch_the_run(watch: Stopwatch) -> None:
    from experiments.running import worker
    from toolkit.models import flops, load, locate, methods
    from toolkit.training import train, trainer
    from toolkit.training.step import attention, frozen_weights, loss

    for owner, attribute, name in (
        (worker, "prepared_for", "preparing"),
        (train, "prepare_data", "preparing"),
        (locate, "local_folder", "locating"),
        (load, "local_folder", "locating"),
        (load, "load_tokenizer", "loading"),
        (load, "load_base", "loading"),
        (load, "_refuse_unless_causal", "probing"),
        (methods, "apply", "adapting"),
        (loss.NextToken, "__init__", "probing"),
        (frozen_weights, "keep_in_compute_precision", "probing"),
        (attention, "use_in", "probing"),
        (flops, "peak_per_second", "probing"),
        (flops, "operations_once", "probing"),
        (trainer.TokenBudgetTrainer, "evaluate", "validation"),
        (trainer.TokenBudgetTrainer, "_inner_training_loop", "step"),
    ):
        watch.watch(owner, attribute, name)


def baseline(watch: Stopwatch, text: str) -> None:
    """What a short script does: load, and train four recipes at a time, padded to the longest."""
    import transformers

    from experiments.bench.training.jobs import RATES
    from experiments.running.job import Job, prepared_for
    from toolkit.events import ignore

    planned = Job.model_validate_json(text)
    with watch.span("preparing"):
        texts = prepared_for(planned, ignore).train
    with watch.span("loading"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(planned.run.model.folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(planned.run.model.folder)
        tokenizer.pad_token = tokenizer.eos_token
    rows = tokenizer(list(texts[:ROWS]))
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(
                output_dir=folder,
                max_steps=1,
                per_device_train_batch_size=ROWS,
                learning_rate=RATES["full"],
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=[{"input_ids": ids} for ids in rows["input_ids"]],
            data_collator=transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False),
        )
        with watch.span("step"):
            trainer.train()


def main() -> None:
    """Entry point of a side's process."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not the answer
    watch = Stopwatch(began=float(sys.argv[2]))
    watch.watch_imports()
    sides: Mapping[str, Callable[[Stopwatch, str], None]] = {
        "ours": ours,
        "baseline": baseline,
        "nothing": lambda *_: None,
    }
    with contextlib.suppress(Reached):
        sides[sys.argv[1]](watch, sys.stdin.read())
    with answer:
        json.dump(watch.stop(), answer)


if __name__ == "__main__":
    main()
