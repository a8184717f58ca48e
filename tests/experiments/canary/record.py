"""Record `series.json`: the runs of a canary as they are, and under drifts planted into this process.

Not a test. `python -m tests.experiments.canary.record`, after the runs themselves have changed: minutes. With
names, only these are recorded again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

SERIES = Path(__file__).with_name("series.json")
SEEDS = 3


@contextmanager
def nothing() -> Iterator[None]:
    """The runs as they are."""
    yield


def of_the_loss(change: Callable[[dict[str, Any], Callable[[dict[str, Any]], Any]], Any]) -> Any:
    """A patch of the loss: ``change`` gets a batch and what computes the loss of one."""
    from toolkit.training.trainer import TokenBudgetTrainer

    real = TokenBudgetTrainer.compute_loss

    def patched(self, model, inputs, *rest, **more):
        return change(dict(inputs), lambda batch: real(self, model, batch, *rest, **more))

    return mock.patch.object(TokenBudgetTrainer, "compute_loss", patched)


def labels_off_by_one() -> Any:
    """Every token is taught as the next but one."""
    return of_the_loss(lambda batch, loss: loss(batch | {"labels": batch["labels"].roll(-1, 1)}))


def end_of_text_masked() -> Any:
    """No document teaches where it ends: the tokenizer's end-of-text is id 0."""
    return of_the_loss(
        lambda batch, loss: loss(batch | {"labels": batch["labels"].masked_fill(batch["labels"] == 0, -100)})
    )


def loss_divided_by_the_accumulation() -> Any:
    """As Trainers did before a batch's tokens were counted over its micro-batches."""
    return of_the_loss(lambda batch, loss: loss(batch) / 2)


@contextmanager
def loaded_with(**settings: Any) -> Iterator[None]:
    """A base loaded with other settings than ours."""
    from transformers import AutoModelForCausalLM

    real = AutoModelForCausalLM.from_pretrained

    def load(*arguments, **ours):
        return real(*arguments, **{**ours, **settings})

    with mock.patch.object(AutoModelForCausalLM, "from_pretrained", load):
        yield


def dtype_auto() -> Any:
    """The base in the bf16 that it is stored in, as transformers 5 loads it unless told otherwise."""
    return loaded_with(dtype="auto")


def other_order_of_sums() -> Any:
    """No drift: attention by another kernel, as a new version may choose it."""
    return loaded_with(attn_implementation="eager")


PLANTED = (
    nothing, other_order_of_sums, labels_off_by_one, end_of_text_masked, loss_divided_by_the_accumulation,
    dtype_auto,
)  # fmt: skip


def main() -> None:
    """Measure under each, and write every series to nine digits."""
    from experiments.canary import runs

    chosen = sys.argv[1:] or [plant.__name__ for plant in PLANTED]
    recorded = json.loads(SERIES.read_text()) if sys.argv[1:] else {}
    with tempfile.TemporaryDirectory() as folder:
        runs.make_bases(Path(folder))
        for plant in (plant for plant in PLANTED if plant.__name__ in chosen):
            with ExitStack() as stack:
                stack.enter_context(mock.patch.object(runs, "BASES", ("llama",)))
                stack.enter_context(plant())
                found = runs.measure(Path(folder), SEEDS)["runs"]
            recorded[plant.__name__] = {
                name: {key: [float(f"{value:.9g}") for value in values] for key, values in run.items()}
                for name, run in found.items()
            }
            print(plant.__name__, flush=True)
    lines = [f' "{name}": {json.dumps(value)}' for name, value in recorded.items()]
    SERIES.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
