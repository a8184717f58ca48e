"""How runs are evaluated."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from toolkit.specs.base import Spec
from toolkit.specs.data import DatasetSpec


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
    """Number of its texts, taken from the start."""


class EvalSpec(Spec):
    """How runs are evaluated. Has a digest of its own: changing it re-evaluates and never retrains."""

    max_new_tokens: int = Field(default=400, gt=0)
    """Length limit of a generation; it stops earlier only at end-of-text or where the context ends."""
    prompts: tuple[str, ...] = Field(default=("title",), min_length=1)
    """Prompt modes: the last section that the prompt holds (`title`, `ingredients`). Verdicts: the first.
    Conversations have `prompt` alone, which is filled in."""
    decodings: tuple[Decoding, ...] = Field(default=(Decoding(),), min_length=1)
    """Decoding settings. Every one is measured; verdicts are about the first."""
    generations: int | None = Field(default=None, gt=0)
    """Generate for this many of the test documents, from the first; default: all."""
    seed: int = 0
    """Seed of the draws."""
    likelihood_precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of likelihoods. bf16 is faster, and rounds the weights of each method differently."""
    general: General | None = None
    """General text that is scored as well; nothing when absent, and then it costs nothing."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for kind, names in (("prompts", self.prompts), ("decodings", [d.name for d in self.decodings])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind}: {', '.join(twice)} is given twice")
        return self
