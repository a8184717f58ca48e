"""How a run trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from toolkit.specs.base import Spec

SHARDED = ("fsdp", "deepspeed")
EXECUTION = (*SHARDED, "ddp_")
TRAINING_OF_DEEPSPEED = ("optimizer", "scheduler")
"""Sections of a DeepSpeed configuration that would train otherwise than the study says."""


class TrainSpec(Spec):
    """How a run trains. The same for every method unless the method's entry overrides it."""

    epochs: float = Field(default=1.0, gt=0)
    """Passes over the training documents."""
    batch_tokens: int = Field(default=1024, gt=0)
    """Tokens of one micro-batch, padding included; documents of similar length share one."""
    accumulate: int = Field(default=1, gt=0)
    """Micro-batches per optimizer step; the loss is normalised by supervised tokens across them."""
    max_length: int = Field(default=768, gt=1)
    """A document with more tokens is left out of training, and counted; it is never cut."""
    schedule: Literal[
        "linear", "cosine", "constant", "constant_with_warmup", "cosine_with_restarts", "polynomial",
        "inverse_sqrt",
    ] = "linear"  # fmt: skip
    """Learning-rate schedule, by transformers' name: those that need no settings of their own."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from zero. The schedule `constant` has none;
    `constant_with_warmup` has."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decoupled weight decay."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the base model, for every method alike (an adapter's own dropout is in its peft options)."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Compute precision over fp32 master weights; `auto` is bf16 if the hardware supports it."""
    validation_precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of validation likelihoods. bf16 is faster, and rounds each method differently."""
    packing: bool = False
    """Lay documents end to end instead of padding them, for bases whose attention keeps them apart."""
    attention: Literal["pytorch", "blocks"] = "pytorch"
    """`blocks` trains a seventh faster in bf16 on a CPU, and rounds attention scores to bf16."""
    compile: bool = False
    """Train through torch.compile: less memory, and adapters a seventh faster, after minutes of compiling,
    once per machine."""
    validations: int = Field(default=4, gt=0)
    """How often a run is validated while it trains, besides once before the first step."""
    keep: Literal["last", "best"] = "last"
    """Which weights are kept: after the last step, or those of the lowest validation bits per byte."""
    patience: int | None = Field(default=None, gt=0)
    """Stop after this many validations in a row without a new lowest bits per byte; None: never."""
    processes: int = Field(default=1, gt=0)
    """Processes that train one run, each on its share of every micro-batch. Not part of a run's identity."""
    distributed: dict[str, Any] = Field(default_factory=dict)
    """FSDP or DeepSpeed, by TrainingArguments' names, passed on: `{fsdp: true, fsdp_config: {…}}`. Only names
    that say how a run is executed: it is not part of a run's identity."""

    @field_validator("distributed")
    @classmethod
    def _of_execution(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not name.startswith(EXECUTION):
                raise ValueError(f"'{name}' is none of FSDP or DeepSpeed: begin with {', '.join(EXECUTION)}")
        own = value.get("deepspeed")
        if isinstance(own, str):
            try:
                own = json.loads(Path(own).read_bytes())
            except (OSError, ValueError) as error:
                raise ValueError(f"deepspeed: cannot read '{own}': {error}") from error
        for name in TRAINING_OF_DEEPSPEED:
            if isinstance(own, dict) and name in own:
                raise ValueError(f"deepspeed: leave out '{name}': the study says how its methods train")
        return value

    @property
    def sharded(self) -> bool:
        """Whether weights are divided among processes; options of DDP alone divide none."""
        return any(value for name, value in self.distributed.items() if name.startswith(SHARDED))
