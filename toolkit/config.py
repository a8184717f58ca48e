"""YAML, overrides and catalog names -> specs: `toolkit.specs.reading` and `toolkit.catalog` in one import."""

from __future__ import annotations

from toolkit.catalog import CATALOG, catalog, dataset, document_format, method, model
from toolkit.specs.reading import absolute_paths, dump_yaml, parse_yaml, read_yaml, validate, with_overrides

__all__ = [
    "CATALOG",
    "absolute_paths",
    "catalog",
    "dataset",
    "document_format",
    "dump_yaml",
    "method",
    "model",
    "parse_yaml",
    "read_yaml",
    "validate",
    "with_overrides",
]
