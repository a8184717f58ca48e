"""Which weights train, and how."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from toolkit.specs.base import Name, Spec

NOT_AS_NAMED = {
    "init_lora_weights": {
        "eva": "peft starts it like plain LoRA unless a pass over the data comes first",
        "lora_ga": "peft starts it like plain LoRA unless a pass over the data comes first",
        "pissa_niter_*": "it starts otherwise each time it is loaded, and what is saved is another model; "
        "use pissa",
    },
    "kasa_config": {"*": "peft leaves its part of the loss to the caller"},
    "monteclora_config": {"*": "peft leaves its part of the loss to the caller"},
    "auxiliary_loss_weight": {"*[1-9]*": "its part of the loss is added only to peft's own; give 0"},
    "opt_weighted_loss_type": {"decay": "it weighs peft's own loss, which is not the one trained on"},
    "velora_config": {
        "*batch_average_once*": "its projection is in no checkpoint: a run that goes on ends otherwise"
    },
    "use_qalora": {"True": "it acts on bases saved quantised alone, which are refused"},
    "use_asa": {"True": "its scores are in no checkpoint, so that a run that goes on ends otherwise"},
}
"""Option of peft -> pattern of its value -> why a run would not be what the option names."""
ELSEWHERE = ("adapter", "checkpoint", "gguf")
"""Fields that hold weights trained elsewhere: their content is identified by a hash, wherever they are."""
DEFAULTS = {"SHADOW": {"auxiliary_loss_weight": 0.05}}
"""Adapter type -> options that peft sets, and that do not do what they name."""
OF_THE_RUN = {"lr": "the learning rate is the run's", "optimizer_cls": "the optimizer is AdamW"}
"""Options of peft's optimizers that a method cannot set -> why."""


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
    trained_on: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """What it was trained on: a CSV, TSV, JSON, JSONL, Parquet or text file, or a folder of them. Test
    documents that have a copy in it are counted, and the audit names them. Read with the columns of the
    study's data set, with those of another kind of conversation, or as texts in a column `text`."""
    convert: str | None = None
    """Another method of the study, whose trained weights are converted, without training: see `to`."""
    to: Literal["lora", "merged", "bf16", "random"] | None = None
    """With `convert`: a LoRA adapter of `rank`, the adapter merged into the base, the whole model rounded to
    bf16, or random weights of the adapter's shapes and norms, as a floor."""
    rank: int | float | None = Field(default=None, gt=0)
    """With `to: lora`: its rank, or below 1 the share of the squared singular values that it is to hold."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Training settings this method needs to differ in; shown in the audit."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @property
    def elsewhere(self) -> str | None:
        """The folder or file of what was trained elsewhere; None if it was not."""
        return self.adapter or self.checkpoint or self.gguf

    @property
    def trained_here(self) -> bool:
        """Whether its runs train: neither trained elsewhere nor converted. True of the untouched base."""
        return self.elsewhere is None and self.convert is None

    @model_validator(mode="after")
    def _trains_as_named(self) -> Self:
        given = self.peft or {}
        defaults = DEFAULTS.get(str(given.get("peft_type")).upper(), {})
        for option, value in {**defaults, **given}.items():
            for pattern, reason in NOT_AS_NAMED.get(option, {}).items():
                if value is not None and fnmatchcase(str(value), pattern):
                    raise ValueError(f"peft: {option}: {value} is not supported: {reason}")
        return self

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.trainable, self.peft, self.adapter, self.checkpoint, self.gguf, self.convert)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(
                "give either 'trainable' (patterns of weights) or 'peft' (an adapter), or what was trained "
                "elsewhere: 'adapter' or 'checkpoint' (a folder), or 'gguf' (a file), or 'convert' (a method)"
            )
        if "" in kinds:
            raise ValueError("an empty path or name: no folder, file or method is meant by it")
        for field in ("trained_by", "trained_on", "files_sha256") if not self.elsewhere else ():
            if getattr(self, field):
                raise ValueError(f"'{field}' goes with 'adapter', 'checkpoint' or 'gguf'")
        if not self.trained_here and self.train:
            raise ValueError("'train' has no effect on what was trained elsewhere, or is converted")
        if self.peft is not None and "peft_type" not in self.peft:
            raise ValueError("peft: 'peft_type' is missing, e.g. {peft_type: LORA, r: 16}")
        if self.peft is None and (self.optimizer or self.quantization):
            raise ValueError("'optimizer' and 'quantization' go with 'peft': an adapter on a frozen base")
        if bool(self.convert) != bool(self.to):
            raise ValueError("'convert' (a method) and 'to' (lora, merged, bf16 or random) go together")
        if (self.to == "lora") != (self.rank is not None):
            raise ValueError("'to: lora' and 'rank' go together: {convert: dora-r16, to: lora, rank: 16}")
        if self.rank is not None and self.rank >= 1 and not isinstance(self.rank, int):
            raise ValueError(f"'rank' is a whole number from 1 up, or a share below 1: got {self.rank}")
        if self.optimizer is not None and "name" not in self.optimizer:
            raise ValueError("optimizer: 'name' is missing, e.g. {name: loraplus, loraplus_lr_ratio: 16}")
        for option in self.optimizer or ():
            if option in OF_THE_RUN:
                raise ValueError(f"optimizer: '{option}' cannot be set: {OF_THE_RUN[option]}")
        return self
