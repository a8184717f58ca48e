"""A frozen, strict value, its digest, and the names that may become folders."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator


class Spec(BaseModel):
    """A frozen, strict value. Field docstrings are the documentation; defaults live here only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_switch_for_number(cls, value: Any, info: ValidationInfo) -> Any:
        """`patience: true` would be read as 1, `max_length: yes` too."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        items = value if isinstance(value, list) else [value]
        if isinstance(value, dict) and get_origin(annotation) is dict:
            items = list(value.values())
        switch = any(isinstance(item, bool) for item in items)
        if switch and not _takes_switch(annotation):
            raise ValueError(f"true and false mean nothing here, got {str(value).lower()}")
        return value

    @property
    def digest(self) -> str:
        """First 12 hex digits of the SHA-256 of the value's canonical JSON."""
        return digest_of(self.model_dump(mode="json"))


def _takes_switch(annotation: Any) -> bool:
    return annotation in (bool, Any) or any(map(_takes_switch, get_args(annotation)))


def _short(name: str) -> str:
    if len(name.encode()) > 100:  # a run's folder has two names in it, and at most 255 bytes
        raise ValueError(f"a name has at most 100 bytes, got {len(name.encode())}")
    return name


NAME = r"^\w[\w.+-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80), AfterValidator(_short)]
"""It names files and folders: letters, digits, `.`, `+`, `-` and `_`, at most 80 of them, of 100 bytes."""


def digest_of(value: Any) -> str:
    """First 12 hex digits of the SHA-256 of ``value`` as JSON with sorted keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def exactly_one(spec: BaseModel, fields: tuple[str, ...]) -> None:
    """Raise ValueError unless exactly one of the named fields is set."""
    given = [name for name in fields if getattr(spec, name)]
    if len(given) != 1:
        came = " and ".join(given) or "none of them"
        raise ValueError(f"give exactly one of {', '.join(fields)}; got {came}")
