"""The parts of a report that are read off the records: examples, data, audit, environment, settings."""

from __future__ import annotations

import json
from typing import Any

from figures.load import StudyTables
from figures.words import method_label
from toolkit.records import Conclusions

EXAMPLES = 6
SAMPLES = "samples"


def examples(part: StudyTables, panel: tuple[str, str]) -> dict[str, Any]:
    """The first test documents with what each method wrote: the first ones, not chosen ones."""
    texts = part.generations
    first = texts[["prompt_mode", "decoding"]].head(1).to_dict("records")
    setting = {str(key): str(value) for key, value in first[0].items()} if first else {}
    for name, value in setting.items():
        texts = texts[texts[name] == value]
    titles = []
    for order in sorted(set(texts["order"]))[:EXAMPLES]:
        rows = texts[texts["order"] == order].to_dict("records")
        titles.append({"title": rows[0]["title"], "reference": rows[0]["reference"], "texts": rows})
    others = len(part.generations) - len(texts)
    return {"panel": f"{panel[0]} on {panel[1]}", "titles": titles, "others": others, "setting": setting}


def audit(conclusions: Conclusions) -> list[dict[str, str]]:
    """Findings, the refused and flagged ones first."""
    order = {"refused": 0, "flagged": 1, "ok": 2}
    return [
        {
            "status": finding.status,
            "check": finding.check,
            "text": finding.text,
            "about": ", ".join(filter(None, (finding.base_model, finding.dataset, *finding.methods))),
        }
        for finding in sorted(conclusions.audit, key=lambda f: order[f.status])
    ]


def data_reports(conclusions: Conclusions) -> list[dict[str, Any]]:
    """Each data set's report as lines of name and value; sample documents apart."""
    reports = []
    for name, report in conclusions.data.items():
        facts = (
            {key: value for key, value in report.items() if key != SAMPLES}
            if isinstance(report, dict)
            else {}
        )
        samples = report.get(SAMPLES, []) if isinstance(report, dict) else []
        reports.append({"name": name, "lines": flat(facts), "samples": [str(sample) for sample in samples]})
    return reports


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A nested value as lines: ``{"a": {"b": 1}}`` -> ``[("a: b", "1")]``."""
    if isinstance(value, dict) and value:
        lines = []
        for key, inner in value.items():
            lines += flat(inner, f"{prefix}: {key}" if prefix else str(key).replace("_", " "))
        return lines
    if value is None:
        return [(prefix, "–")]
    if isinstance(value, list | tuple | dict):
        return [(prefix, json.dumps(value, ensure_ascii=False))]
    return [(prefix, f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))]


def environment(study: StudyTables) -> list[tuple[str, str]]:
    """Machine and versions; a line whose value differs between runs names which methods had which."""
    seen: dict[str, dict[str, set[str]]] = {}
    for run in study.runs.values():
        facts = dict(flat({**run.environment, "precision": run.precision}))
        for name, value in facts.items():
            seen.setdefault(name, {}).setdefault(value, set()).add(run.spec.method.name)
    lines = []
    for name, values in seen.items():
        only = len(values) == 1
        words = [value if only else f"{value} ({', '.join(sorted(who))})" for value, who in values.items()]
        lines.append((name, "; ".join(words)))
    return lines


def signatures(study: StudyTables) -> list[tuple[str, str, str, str]]:
    """Metric, unit, direction and signature, as the evaluations state them."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for record in study.evaluations.values():
        for name, metric in record.metrics.items():
            found.setdefault(name, (name, metric.unit, metric.direction, metric.signature))
    return list(found.values())


def settings(study: StudyTables) -> dict[str, Any]:
    """The resolved study, the evaluation's settings, and each method's learning rates and weights."""
    methods: dict[str, dict[str, Any]] = {}
    for cell in study.conclusions.cells:
        run = study.runs.get(cell.run_id)
        if run is None or cell.phase == "anchor":
            continue
        label = method_label(cell.method, tuned=cell.tuned)
        about = methods.setdefault(
            cell.method, {"label": label, "rates": set(), "chosen": set(), "weights": ""}
        )
        about["rates" if cell.phase == "tune" else "chosen"].add(cell.learning_rate)
        kind = run.spec.method.peft or {"trainable": list(run.spec.method.trainable or ())}
        about["weights"] = json.dumps(kind, ensure_ascii=False)
    rows = [
        {
            "label": about["label"],
            "chosen": ", ".join(f"{rate:g}" for rate in sorted(filter(None, about["chosen"]))),
            "tried": ", ".join(f"{rate:g}" for rate in sorted(filter(None, about["rates"]))),
            "weights": about["weights"],
        }
        for about in methods.values()
    ]
    evaluation = next((record.spec.model_dump(mode="json") for record in study.evaluations.values()), {})
    return {"study": study.study, "evaluation": flat(evaluation), "methods": rows}


def licences(study: StudyTables) -> list[tuple[str, str]]:
    """Licence of each base model and data set."""
    found = {}
    for run in study.runs.values():
        for kind, spec in (("base model", run.spec.model), ("data", run.spec.dataset)):
            if spec is not None:
                found[f"{kind} {spec.name}"] = spec.license or "not stated"
    return list(found.items())
