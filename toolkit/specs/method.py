"""Which weights train, and how."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from toolkit.specs.base import Name, Spec


class MethodSpec(Spec):
    """Which weights train: some of the base's own, by pattern, or an adapter that peft describes."""

    name: Name
    """What it is called in studies, tables and figures."""
    trainable: tuple[str, ...] | None = None
    """Shell-style patterns of parameter names: `["*"]` is full fine-tuning, `["*.bias"]` BitFit."""
    peft: dict[str, Any] | None = None
    """A peft configuration, passed on unchanged: `{peft_type: LORA, r: 16, target_modules: all-linear}`."""
    optimizer: dict[str, Any] | None = None
    """One of peft's own optimizers with its options: `{name: loraplus, loraplus_lr_ratio: 16}`."""
    quantization: dict[str, Any] | None = None
    """The frozen base quantised by bitsandbytes, options passed on unchanged: `{load_in_4bit: true}`."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Training settings this method needs to differ in; shown in the audit."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.trainable is None) == (self.peft is None):
            raise ValueError("give either 'trainable' (patterns of weights) or 'peft' (an adapter)")
        if self.peft is not None and "peft_type" not in self.peft:
            raise ValueError("peft: 'peft_type' is missing, e.g. {peft_type: LORA, r: 16}")
        if self.peft is None and (self.optimizer or self.quantization):
            raise ValueError("'optimizer' and 'quantization' go with 'peft': an adapter on a frozen base")
        if self.optimizer is not None and "name" not in self.optimizer:
            raise ValueError("optimizer: 'name' is missing, e.g. {name: loraplus, loraplus_lr_ratio: 16}")
        return self
