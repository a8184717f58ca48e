"""A run: all that can change its weights, and its identity."""

from __future__ import annotations

from pydantic import Field

from toolkit.specs.base import Spec, digest_of
from toolkit.specs.data import DatasetSpec, DataSpec
from toolkit.specs.method import ELSEWHERE, MethodSpec
from toolkit.specs.model import ModelSpec
from toolkit.specs.training import TrainSpec

BASE = "base"
"""The method of the untouched base model, which every study holds: `trainable: []`, no learning rate."""


class RunSpec(Spec):
    """Everything requested that can change a run's weights, and nothing else."""

    model: ModelSpec
    dataset: DatasetSpec | None
    """None for the untouched base, which sees no data."""
    data: DataSpec | None
    method: MethodSpec
    learning_rate: float | None = Field(gt=0)
    """No default: every method has to choose one. None for the untouched base, and if nothing is trained."""
    train: TrainSpec
    converts: str | None = None
    """Id of the run that it converts; None for a run that does not."""
    seed: int
    """Moves data order, initialisation and dropout together."""
    fingerprints: dict[str, str] = Field(default_factory=dict)
    """Fingerprints of the splits that the run trains and validates on; empty for the untouched base."""

    @property
    def is_base(self) -> bool:
        """Whether this is the untouched base model: no learning rate, and no weights but its own."""
        return self.learning_rate is None and self.method.trained_here

    @property
    def run_id(self) -> str:
        """Readable prefix and digest: `smollm2-135m-embedded.lora-r16.s0.1a2b3c4d5e6f`."""
        value = self.model_dump(mode="json", exclude={"dataset", "data"})
        for execution in ("processes", "distributed"):
            value["train"].pop(execution)
            value["method"]["train"].pop(execution, None)
        for field in ("attention", "compile"):  # runs of before these keys existed keep their identity
            if value["train"][field] == TrainSpec.model_fields[field].default:
                value["train"].pop(field)
        if self.model.folder and self.model.sha256:
            value["model"].pop("folder")  # the same files elsewhere are the same base
        if self.model.tokenizer is None:
            value["model"].pop("tokenizer")  # runs of before this key existed keep their identity
        elif self.model.tokenizer_sha256:
            value["model"].pop("tokenizer")
        if self.model.tokenizer_sha256 is None:
            value["model"].pop("tokenizer_sha256")
        value["method"].pop("convert")  # a name; `converts` is what it stands for
        value["method"].pop("trained_on", None)  # it is compared with the test split, and changes no weight
        for part, field in (("method", "to"), ("method", "rank"), (None, "converts")):
            holder = value[part] if part else value
            if holder[field] is None:
                holder.pop(field)  # runs of before these keys existed keep their identity
        for field in (*ELSEWHERE, "files_sha256", "trained_by"):
            given = value["method"].pop(field)
            if (
                given is not None
                and field != "trained_by"
                and not (field in ELSEWHERE and self.method.files_sha256)
            ):
                value["method"][field] = given
        for part in ("model", "method"):
            for label in ("name", "note", "license", "published_as"):
                value[part].pop(label, None)
        return f"{self.model.name}.{self.method.name}.s{self.seed}.{digest_of(value)}"
