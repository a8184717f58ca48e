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
    adapter: str | None = None
    """An adapter trained elsewhere: a folder in peft's format (in YAML, relative to the file)."""
    checkpoint: str | None = None
    """A whole model trained elsewhere from the same base: a folder as `save_pretrained` writes it."""
    gguf: str | None = None
    """A whole model trained elsewhere from the same base, as one GGUF file; its weights are dequantised."""
    files_sha256: str | None = None
    """Expected SHA-256 of the files of `adapter`, `checkpoint` or `gguf`; filled in."""
    trained_by: str | None = None
    """What trained it, in words: `axolotl 0.9, 3 epochs of our chats`. Shown in the audit."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Training settings this method needs to differ in; shown in the audit."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @property
    def elsewhere(self) -> str | None:
        """The folder or file of what was trained elsewhere; None for a method that is trained here."""
        return self.adapter or self.checkpoint or self.gguf

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.trainable, self.peft, self.adapter, self.checkpoint, self.gguf)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(
                "give either 'trainable' (patterns of weights) or 'peft' (an adapter), or what was trained "
                "elsewhere: 'adapter' or 'checkpoint' (a folder), or 'gguf' (a file)"
            )
        if not self.elsewhere and (self.trained_by or self.files_sha256):
            raise ValueError("'trained_by' and 'files_sha256' go with 'adapter', 'checkpoint' or 'gguf'")
        if self.elsewhere and self.train:
            raise ValueError("'train' has no effect on what was trained elsewhere")
        if self.peft is not None and "peft_type" not in self.peft:
            raise ValueError("peft: 'peft_type' is missing, e.g. {peft_type: LORA, r: 16}")
        if self.peft is None and (self.optimizer or self.quantization):
            raise ValueError("'optimizer' and 'quantization' go with 'peft': an adapter on a frozen base")
        if self.optimizer is not None and "name" not in self.optimizer:
            raise ValueError("optimizer: 'name' is missing, e.g. {name: loraplus, loraplus_lr_ratio: 16}")
        return self
