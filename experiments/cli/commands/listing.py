"""The command `bakeoff catalog`: everything that can be named, by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from experiments.cli.options import Json
from experiments.cli.output import print_json, print_rows
from toolkit import config
from toolkit.catalog import entries
from toolkit.errors import unknown_name
from toolkit.specs import DatasetSpec, MethodSpec, ModelSpec

KINDS = ("models", "datasets", "methods", "formats", "metrics", "studies", "keys")


def catalog(kind: str | None = None, *, as_json: Json = False) -> int:
    """List what can be named: models, datasets, methods, formats, metrics, studies; and the keys of a study.

    Parameters
    ----------
    kind
        Only this list.
    """
    if kind is not None and kind not in KINDS:
        raise unknown_name("list", kind, KINDS)
    shown = [kind] if kind else [name for name in KINDS if name != "keys"]  # a page of its own
    lists = {name: listing(name) for name in shown}
    if as_json:
        print_json(lists)
    else:
        for name, rows in lists.items():
            print_rows(name, rows)
    return 0


def listing(kind: str) -> list[dict[str, Any]]:
    """Return one row per entry: its name and what it is."""
    if kind == "metrics":
        from eval.metrics import all_metrics, origin, unavailable

        offered = [
            {
                "name": m.name,
                "unit": m.unit,
                "better": m.direction,
                "signature": m.signature,
                "from": origin(m.name),
            }
            for m in all_metrics().values()
        ]
        missing = [{"name": n, "signature": why, "from": origin(n)} for n, why in unavailable().items()]
        return offered + [{"unit": None, "better": None, **row} for row in missing]
    if kind == "keys":
        from experiments.design.keys import keys

        return [entry._asdict() for section in keys().values() for entry in section]
    if kind == "studies":
        from experiments.design.study import STUDIES

        return [
            {"name": path.stem, "question": config.read_yaml(path).get("question")}
            for path in sorted(STUDIES.glob("*.yaml"))
        ]
    if kind == "formats":
        formats = [config.document_format(name) for name in config.catalog(kind)]
        return [
            {
                "name": f.name,
                "markers": " ".join(f.markers),
                "end": f.end,
                "from": entries(kind)[f.name].origin,
            }
            for f in formats
        ]
    specs: dict[str, Callable[[str], ModelSpec | DatasetSpec | MethodSpec]] = {
        "models": config.model,
        "datasets": config.dataset,
        "methods": config.method,
    }
    return [
        {
            "name": spec.name,
            "what": spec.note,
            "license": getattr(spec, "license", None),
            "from": entries(kind)[spec.name].origin,
        }
        for spec in map(specs[kind], config.catalog(kind))
    ]
