"""The models of a study, ready to write: adapters share one base model, full models stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError, first_line
from toolkit.models import methods
from toolkit.models.artifact import changes_base, for_generation, load_for_use, load_run
from toolkit.records import RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import ModelSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Arm:
    """One model to write with."""

    name: str
    model: PreTrainedModel
    active: Callable[[], AbstractContextManager[Any]]
    """Makes this arm the one that the shared model computes."""


@dataclass(frozen=True)
class Arms:
    """The arms of a study, in its order, and their tokenizer."""

    arms: tuple[Arm, ...]
    tokenizer: PreTrainedTokenizerBase
    in_memory: int
    """Models in memory: adapters share one."""


def load(runs: Mapping[str, tuple[RunRecord, RunFolder]], say: Callable[[str], None]) -> Arms:
    """Load the runs (name -> record and folder). All have to be of one base model.

    Adapters that peft can put on one model share it, with the untouched base model; other adapters, those
    whose loading changes the base's weights, and runs that trained these, get a model of their own. Raises
    UserError for several base models.
    """
    bases = {record.spec.model.digest for record, _ in runs.values()}
    if len(bases) != 1:
        raise UserError("playground: the study has several base models; choose one with base_models=NAME")
    spec = next(iter(runs.values()))[0].spec.model
    shared, tokenizer, names = _shared(runs, spec, say)
    arms, own = [], 0
    for name, (record, folder) in runs.items():
        if record.spec.is_base:
            arms.append(Arm(name, shared, _without_adapter(shared)))
        elif name in names:
            arms.append(Arm(name, shared, _with_adapter(shared, name)))
        else:
            say(f"loading {name}")
            model, _ = load_run(record, folder, spec)
            arms.append(Arm(name, for_generation(model, record.spec.train.precision), nullcontext))
            own += 1
    return Arms(tuple(arms), tokenizer, own + 1)


def _shared(
    runs: Mapping[str, tuple[RunRecord, RunFolder]], spec: ModelSpec, say: Callable[[str], None]
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, set[str]]:
    """Load the base model with every adapter that it can carry; return it, its tokenizer, and their names."""
    from peft import PeftConfig, PeftModel

    say(f"loading {spec.name}")
    model: Any
    model, tokenizer = load_for_use(spec)
    names: set[str] = set()
    for name, (record, folder) in runs.items():
        if record.spec.method.peft is None or methods.quantization(record.spec.method) is not None:
            continue
        place = str(folder.require_artifact())
        adapter = PeftConfig.from_pretrained(place)
        if adapter.is_prompt_learning or adapter.is_adaption_prompt or changes_base(adapter):
            continue  # its virtual tokens, or its start, would change what the base computes
        say(f"loading {name}")
        try:
            if names:
                model.load_adapter(place, adapter_name=name)
            else:
                model = PeftModel.from_pretrained(model, place, adapter_name=name)
        except (ValueError, TypeError, KeyError) as error:  # another kind of adapter than the first
            say(f"{name}: a model of its own ({first_line(error)[:100]})")
            continue
        names.add(name)
    precision = next(iter(runs.values()))[0].spec.train.precision
    return for_generation(model.eval(), precision), tokenizer, names


def _with_adapter(model: Any, name: str) -> Callable[[], AbstractContextManager[Any]]:
    @contextmanager
    def active() -> Iterator[None]:
        if model.active_adapter != name:
            model.set_adapter(name)
        yield

    return active


def _without_adapter(model: Any) -> Callable[[], AbstractContextManager[Any]]:
    return model.disable_adapter if hasattr(model, "disable_adapter") else nullcontext


def names_of(arms: Sequence[Arm]) -> list[str]:
    """The arms' names in order."""
    return [arm.name for arm in arms]
