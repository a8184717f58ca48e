"""What there is by name, for `bakeoff catalog`."""

from __future__ import annotations

from typing import Any

from toolkit import config

KINDS = ("models", "datasets", "methods", "formats", "metrics", "studies")


def listing(kind: str) -> list[dict[str, Any]]:
    """One row an entry: its name and what it is."""
    if kind == "metrics":
        from eval.metrics import all_metrics, unavailable

        offered = [
            {"name": m.name, "unit": m.unit, "better": m.direction, "signature": m.signature}
            for m in all_metrics().values()
        ]
        missing = unavailable().items()
        return offered + [{"name": n, "unit": None, "better": None, "signature": why} for n, why in missing]
    if kind == "studies":
        from experiments.design.study import STUDIES

        return [
            {"name": path.stem, "question": config.read_yaml(path).get("question")}
            for path in sorted(STUDIES.glob("*.yaml"))
        ]
    if kind == "formats":
        formats = [config.document_format(name) for name in config.catalog(kind)]
        return [{"name": f.name, "markers": " ".join(f.markers), "end": f.end} for f in formats]
    look_up = {"models": config.model, "datasets": config.dataset, "methods": config.method}[kind]
    return [
        {"name": spec.name, "what": spec.note, "license": getattr(spec, "license", None)}
        for spec in map(look_up, config.catalog(kind))
    ]
