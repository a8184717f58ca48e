"""Outcomes of the first version, which carry no version of their own, in the form of this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_statistics(data: Any) -> Any:
    """Remove the statistics that outcomes and generations held before these had a file of their own."""
    if isinstance(data, Mapping) and "statistics" in data:
        return {key: value for key, value in data.items() if key != "statistics"}
    return data
