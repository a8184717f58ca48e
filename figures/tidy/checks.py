"""Refuse to put side by side what may not be compared."""

from __future__ import annotations

from toolkit.errors import UserError


def refuse_mixed(what: str, where: str, seen: dict[str, str]) -> None:
    """Raise UserError if ``seen`` (a value -> a method that has it) holds more than one value."""
    if len(seen) > 1:
        came = ", ".join(f"{value} ({method})" for value, method in seen.items())
        raise UserError(
            f"{where}: more than one {what}: {came}. These can't be compared; "
            "run the study again, so that all its methods have the same one"
        )
