"""The parts of a report that are read off the records: examples, data, audit, environment, settings."""

from __future__ import annotations

import json
from typing import Any

from figures.report.texts import headline_texts
from figures.tidy.frames import rows
from figures.tidy.load import StudyTables
from figures.wording.data import data_lines
from figures.wording.names import MISSING, condition_label, method_label
from toolkit.records import Conclusions, Condition, Finding

EXAMPLES = 6
WORST = 2
"""Failing texts that are shown of each method."""
LONG = 260
"""Characters from which a fact of the data report is folded away."""


def examples(part: StudyTables, panel: str) -> dict[str, Any]:
    """The first test documents with what each method wrote: the first ones, not chosen ones.

    The setting is None where no run was evaluated, and then there are no texts.
    """
    if part.generations.empty:
        return {"panel": panel, "titles": [], "others": 0, "setting": None}
    texts = headline_texts(part)
    first = texts[["prompt_mode", "decoding"]].head(1).to_dict("records")
    setting = {str(key): str(value) for key, value in first[0].items()}
    titles = []
    for order in sorted(set(texts["order"]))[:EXAMPLES]:
        written = rows(texts[texts["order"] == order])
        titles.append({"title": written[0]["title"], "reference": written[0]["reference"], "texts": written})
    others = len(part.generations) - len(texts)
    return {"panel": panel, "titles": titles, "others": others, "setting": setting}


def worst(part: StudyTables, panel: str) -> dict[str, Any]:
    """Of each method, the texts of the headline's setting in which most is wrong, with words for it."""
    shown = []
    for _, of_method in headline_texts(part).groupby("method", sort=False):
        failing = [row for row in rows(of_method) if row["wrong"]]
        failing.sort(key=lambda row: (-len(row["wrong"]), row["order"]))
        shown += failing[:WORST]
    return {"panel": panel, "texts": shown, "written": len(part.generations)}


def audit(conclusions: Conclusions) -> list[dict[str, str]]:
    """Findings, the refused and flagged ones first."""
    order = {"refused": 0, "flagged": 1, "ok": 2}
    return [
        {
            "status": finding.status,
            "check": finding.check,
            "text": finding.text,
            "about": ", ".join([*_where(finding, conclusions), *finding.methods]),
        }
        for finding in sorted(conclusions.audit, key=lambda f: order[f.status])
    ]


def _where(finding: Finding, conclusions: Conclusions) -> list[str]:
    if finding.base_model is None or finding.dataset is None:
        return []
    place = Condition(finding.base_model, finding.dataset, finding.train_size, finding.epochs)
    return [condition_label(place, conclusions.conditions)]


def data_reports(conclusions: Conclusions) -> list[dict[str, Any]]:
    """Each data set's report: short facts as lines of name and value, long ones (samples, examples) apart."""
    reports = []
    for name, report in conclusions.data.items():
        lines = data_lines(report)
        long = [line for line in lines if len(line[1]) > LONG]
        reports.append({"name": name, "lines": [line for line in lines if line not in long], "long": long})
    return reports


def facts(value: Any, label: str = "") -> list[tuple[str, str]]:
    """A nested value as lines of name and value, one for the plain values of each branch.

    ``{"rows": 3, "sizes": {"train": 2, "test": 1}}`` -> ``[("rows", "3"), ("sizes", "train 2; test 1")]``.
    """
    if not isinstance(value, dict):
        return [(label, inline(value))]
    plain = {key: inner for key, inner in value.items() if not isinstance(inner, dict | list)}
    lines = (
        [(label, inline(plain))] if plain and label else [(worded(k), inline(v)) for k, v in plain.items()]
    )
    for key, inner in value.items():
        if key not in plain:
            lines += facts(inner, f"{label}: {worded(key)}" if label else worded(key))
    return lines


def worded(key: object) -> str:
    """A key as a reader sees it."""
    return str(key).replace("_", " ")


def inline(value: Any) -> str:
    """A value in words; texts and branches of a list each on a line of their own."""
    if isinstance(value, dict):
        return "; ".join(f"{worded(key)} {inline(inner)}" for key, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        between = "\n" if any(isinstance(item, str | dict) for item in value) else ", "
        return between.join(inline(item) for item in value) or "none"
    if value is None:
        return MISSING
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def environment(study: StudyTables) -> list[tuple[str, str]]:
    """Machine and versions; a line whose value differs between runs names which methods had which."""
    seen: dict[str, dict[str, set[str]]] = {}
    for run in study.runs.values():
        for name, value in facts({**run.environment, "precision": run.precision}):
            seen.setdefault(name, {}).setdefault(value, set()).add(run.spec.method.name)
    lines = []
    for name, values in seen.items():
        only = len(values) == 1
        words = [value if only else f"{value} ({', '.join(sorted(who))})" for value, who in values.items()]
        lines.append((name, "; ".join(words)))
    return lines


def signatures(study: StudyTables) -> list[tuple[str, str, str, str]]:
    """Metric, unit, direction and signature, as the evaluations state them."""
    lines: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for record in study.evaluations.values():
        for name, metric in record.metrics.items():
            line = name, metric.unit, metric.direction, metric.signature
            lines.setdefault((name, metric.signature), line)
    return list(lines.values())


def settings(study: StudyTables) -> dict[str, Any]:
    """The resolved study, the evaluation's settings, and each method's learning rates and weights."""
    methods: dict[str, dict[str, Any]] = {}
    for cell in study.conclusions.cells:
        run = study.runs.get(cell.run_id)
        if run is None or cell.is_base:
            continue
        label = method_label(cell.method, tuned=cell.tuned)
        about = methods.setdefault(
            cell.method, {"label": label, "rates": set(), "chosen": set(), "weights": ""}
        )
        about["rates" if cell.phase == "tune" else "chosen"].add(cell.learning_rate)
        kind = run.spec.method.peft or {"trainable": list(run.spec.method.trainable or ())}
        about["weights"] = json.dumps(kind, ensure_ascii=False)
    lines = [
        {
            "label": about["label"],
            "chosen": ", ".join(f"{rate:g}" for rate in sorted(filter(None, about["chosen"]))),
            "tried": ", ".join(f"{rate:g}" for rate in sorted(filter(None, about["rates"]))),
            "weights": about["weights"],
        }
        for about in methods.values()
    ]
    evaluation = next((record.spec.model_dump(mode="json") for record in study.evaluations.values()), {})
    return {"study": study.study, "evaluation": facts(evaluation), "methods": lines}


def licences(study: StudyTables) -> list[tuple[str, str]]:
    """Licence of each base model and data set."""
    stated = {}
    for run in study.runs.values():
        for kind, spec in (("base model", run.spec.model), ("data", run.spec.dataset)):
            if spec is not None:
                stated[f"{kind} {spec.name}"] = spec.license or "not stated"
    return list(stated.items())
