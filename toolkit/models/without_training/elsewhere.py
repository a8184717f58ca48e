"""Take in what was trained elsewhere, an adapter or a whole model, as a run's artifact."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import origins, runtime
from toolkit.errors import UserError, readable
from toolkit.models import locate, methods, probe
from toolkit.models.load import load_base, load_to_read, load_under, read_object
from toolkit.records import Costs, RunRecord, hashes
from toolkit.records.files import whole_folder
from toolkit.records.folders import RunFolder
from toolkit.records.run import forget_run, seal_run
from toolkit.specs import MethodSpec, ModelSpec, RunSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
CHECKPOINT_FILES = ("*.safetensors", "*.json")
WEIGHTS = (".safetensors", ".gguf")


def pinned(method: MethodSpec) -> MethodSpec:
    """Return the method with the hash of its files; a method that is trained here as it is.

    Raises UserError if a folder lacks safetensors, a file is missing, or the method expects another hash.
    """
    if not method.elsewhere:
        return method
    digest = origins.sha256(_files(method))
    if method.files_sha256 not in (None, digest):
        raise UserError(
            f"method {method.name}: '{method.elsewhere}' is not the expected one: its SHA-256 is {digest}"
        )
    return method.model_copy(update={"files_sha256": digest})


def _refuse_if_replaced(method: MethodSpec, files: Sequence[Path]) -> None:
    """Raise UserError if files are not those that the run's identity was made of."""
    if method.files_sha256 not in (None, origins.sha256(files)):
        raise UserError(
            f"method {method.name}: '{method.elsewhere}' was replaced while the study ran: run it again once "
            "nothing writes there"
        )


def take_in(spec: RunSpec, folder: RunFolder) -> RunRecord:
    """Copy the files into the run's artifact and write its record; what is not known of it is None.

    Raises UserError if they do not fit the run's base model.
    """
    method = spec.method
    forget_run(folder)
    files = _files(method)
    if method.adapter:
        _check_named_base(spec)
    adapter = Path(method.adapter).expanduser() if method.adapter else None
    base = load_under(spec.model, adapter) if adapter else load_to_read(spec.model)
    total = methods.parameter_counts(base)[1]
    trainable = None
    if adapter:
        trainable = check_adapter(
            adapter, base, f"method {method.name}: the adapter does not fit {spec.model.name}"
        )
    else:
        _check_checkpoint(spec, base)
    with whole_folder(folder.artifact) as target:
        for file in _dequantised(method) if method.gguf else files:
            shutil.copyfile(file, target / file.name)
        read = files if method.gguf else [target / file.name for file in files]
        _refuse_if_replaced(method, read)
    return write_record(
        spec,
        folder,
        Costs(
            trainable_parameters=trainable,
            total_parameters=total + (trainable or 0),
            artifact_bytes=sum(file.stat().st_size for file in files if file.suffix in WEIGHTS),
        ),
    )


def write_record(spec: RunSpec, folder: RunFolder, costs: Costs) -> RunRecord:
    """Write the record of a run that has its artifact and was not trained: no data, no validation."""
    record = RunRecord(
        run_id=spec.run_id,
        spec=spec,
        status="finished",
        validation_bits_per_byte=None,
        data=None,
        costs=costs,
        precision=None,
        environment={**runtime.environment(), "base_revision": locate.revision(spec.model)},
    )
    seal_run(record, folder)
    return record


def _files(method: MethodSpec) -> list[Path]:
    if method.gguf:
        return locate.gguf_files(_model_of(method))
    folder = Path(str(method.elsewhere)).expanduser()
    patterns = ADAPTER_FILES if method.adapter else CHECKPOINT_FILES
    needed = ADAPTER_FILES[0] if method.adapter else "config.json"
    if not (folder / needed).is_file():
        raise UserError(f"method {method.name}: no {needed} in folder '{folder}'")
    files = sorted(_matching(folder, patterns))
    if not any(file.suffix == ".safetensors" for file in files):
        raise UserError(
            f"method {method.name}: no safetensors file in '{folder}'. A pickle can run code as it loads: "
            "save the weights as safetensors"
        )
    return files


def _matching(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The folder's files of these patterns, without our own list of their hashes."""
    return (file for pattern in patterns for file in folder.glob(pattern) if file.name != hashes.FILE)


def _model_of(method: MethodSpec) -> ModelSpec:
    """The whole model that a checkpoint or a GGUF file holds. Raises UserError for a name without a file."""
    if not method.gguf:
        return ModelSpec(name=method.name, folder=method.checkpoint)
    path = Path(method.gguf).expanduser()
    if not path.is_file():
        raise UserError(f"method {method.name}: no GGUF file '{path}'")
    return ModelSpec(name=method.name, folder=str(path.parent), gguf=(path.name,))


def _dequantised(method: MethodSpec) -> list[Path]:
    """The files of the GGUF as fp32 weights, converted once per machine."""
    folder = locate.local_folder(_model_of(method))
    return sorted(_matching(folder, CHECKPOINT_FILES))


def _check_named_base(spec: RunSpec) -> None:
    """Raise UserError if the adapter names a Hub model as its base, and the run has another one."""
    folder = Path(str(spec.method.adapter)).expanduser()
    config = read_object(folder / ADAPTER_FILES[0], f"method {spec.method.name}")
    named, base = config.get("base_model_name_or_path"), spec.model
    if not base.hub or not isinstance(named, str) or Path(named).is_absolute():
        return
    if named not in (base.hub, base.published_as, base.name):
        raise UserError(
            f"method {spec.method.name}: the adapter is one of '{named}', not of '{base.hub}'. If they are "
            f"the same weights, say so in the base model's entry: `published_as: {named}`"
        )


def check_adapter(folder: Path, base: PreTrainedModel, message: str) -> int:
    """Return how many parameters an adapter has.

    Raises UserError, beginning with ``message``, unless every weight is one of this base, and it runs.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from peft.utils import load_peft_weights

    with readable(message):
        adapted: Any = PeftModel.from_pretrained(base, str(folder))
    with readable(message):
        written = load_peft_weights(str(folder), device="cpu")
    expected = get_peft_model_state_dict(adapted)
    if written.keys() != expected.keys():
        odd = sorted(written.keys() ^ expected.keys())
        raise UserError(f"{message}: {len(odd)} of its weights differ by name ({odd[0]}, …)")
    with readable(message):
        probe.logits(adapted, probe.token_ids(adapted))
    return sum(weight.numel() for weight in written.values())


def _check_checkpoint(spec: RunSpec, base: PreTrainedModel) -> None:
    """Raise UserError unless the model has the base's weights by name and shape."""
    shapes, own = (
        {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
        for model in (base, load_base(_model_of(spec.method)))
    )
    kind = "GGUF file" if spec.method.gguf else "checkpoint"
    if odd := sorted(name for name in shapes.keys() | own.keys() if shapes.get(name) != own.get(name)):
        raise UserError(
            f"method {spec.method.name}: the {kind} is no {spec.model.name}: {len(odd)} of its weights "
            f"differ by name or shape ({odd[0]}, …)"
        )
