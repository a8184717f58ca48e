"""Valid JSON: the share of answers that are JSON and valid against the data set's schema."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from eval.metrics.answers.answer import Share, scoring_of
from eval.metrics.base import Context
from eval.metrics.texts import Pair
from toolkit.specs import AnyFormat, digest_of


class ValidJson(Share):
    """Measured if the format's `scoring.json_schema` is given; `{}` accepts any JSON."""

    name = "valid_json"
    label = "valid JSON"
    signature = "whole-answer|schema:draft-2020-12|remote-references:no"
    headline = True

    def defined_on(self, form: AnyFormat) -> bool:
        """Only if the data set gives a schema."""
        return scoring_of(form).json_schema is not None

    def settings(self, context: Context) -> str:
        """Digest of the schema."""
        return f"json-schema:{digest_of(scoring_of(context.form).json_schema)}"

    def right(self, texts: Pair, context: Context) -> bool | None:
        """It can be read, and the schema accepts it."""
        if scoring_of(context.form).json_schema is None:
            return None
        try:
            value = json.loads(texts.hypothesis, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return False
        try:
            return bool(_validator(json.dumps(scoring_of(context.form).json_schema)).is_valid(value))
        except (OverflowError, RecursionError):  # of 1e400 as a multiple of 0.01, say
            return False


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


@lru_cache(maxsize=8)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
    from referencing import Registry

    return Draft202012Validator(json.loads(schema), registry=Registry())  # an empty one: nothing is fetched


METRIC = ValidJson()
