"""Records of the first version, brought to the form of this one while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit import catalog


def with_formats(value: Any) -> Any:
    """Look up the formats that a record's data sets hold as names, as the first version wrote them."""
    if isinstance(value, list | tuple):
        return [with_formats(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    inner = {key: with_formats(item) for key, item in value.items()}
    if "hub_split" in inner and isinstance(inner.get("format"), str):  # only a data set has a hub split
        inner["format"] = catalog.document_format(inner["format"]).model_dump()
    return inner


def without_statistics(data: Any) -> Any:
    """Remove the statistics that outcomes and generations held before these had a file of their own."""
    if isinstance(data, Mapping) and "statistics" in data:
        return {key: value for key, value in data.items() if key != "statistics"}
    return data
