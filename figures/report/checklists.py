"""Checklists of NeurIPS and ACL, answered from a study's records: each answer names the field it is from."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from figures.tidy.load import StudyTables
from figures.wording.names import amount, count, joined
from figures.wording.pairs import confidence_text
from toolkit.errors import visible
from toolkit.records import BASE, Condition, RunRecord

AUTHORS = "for the authors: no record knows it"


class Answer(NamedTuple):
    """One line of a checklist."""

    question: str
    answer: str
    field: str
    """Where in the records it is from; empty if the authors have to answer."""


def checklists(study: StudyTables) -> dict[str, list[Answer]]:
    """Return the questions of both checklists that records can answer, and those left to the authors."""
    return {"NeurIPS paper checklist": _neurips(study), "ACL responsible NLP checklist": _acl(study)}


def _neurips(study: StudyTables) -> list[Answer]:
    return [
        Answer("Experimental setting: splits, hyperparameters, how they were chosen", _search(study),
               "study.yaml; comparisons.json: cells.learning_rate, cells.tuned"),
        Answer("Experiment statistical significance: error bars, what they capture", _intervals(study),
               "comparisons.json: comparisons.low, .high, .p_holm, .speaks_about"),
        Answer("Experiments compute resources", _compute(study), "run.json: costs, environment.device"),
        Answer("Experimental result reproducibility", _reproducible(study),
               "run.json: spec, spec.fingerprints, environment.versions"),
        Answer("Licenses for existing assets", _licences(study),
               "run.json: spec.model.license, spec.dataset.license"),
        Answer("Limitations", "see “What the numbers cannot tell” in this report", "comparisons.json: audit"),
        Answer("Open access to data and code", AUTHORS, ""),
        Answer("Broader impacts, safeguards, human subjects", AUTHORS, ""),
    ]  # fmt: skip


def _acl(study: StudyTables) -> list[Answer]:
    return [
        Answer("B2. Licence or terms of the artifacts", _licences(study),
               "run.json: spec.model.license, spec.dataset.license"),
        Answer("B6. Statistics of the data: examples, splits", _sizes(study), "run.json: spec.data, data"),
        Answer("C1. Number of parameters, computational budget, infrastructure", _compute(study),
               "run.json: costs.total_parameters, costs.train_seconds, environment"),
        Answer("C2. Hyperparameter search and best values", _search(study),
               "comparisons.json: cells.phase, cells.learning_rate"),
        Answer("C3. Descriptive statistics: error bars, single run or several", _intervals(study),
               "comparisons.json: estimates.low, .high, .seeds, .documents"),
        Answer("C4. Packages, their settings and versions", _versions(study),
               "run.json: environment.versions; eval-*.json: metrics.signature"),
        Answer("A, B1, B3–B5, D, E. Limitations, risks, citations, annotators, AI assistants", AUTHORS, ""),
    ]  # fmt: skip


def _trained(study: StudyTables) -> list[RunRecord]:
    return [run for run in study.runs.values() if run.data is not None]


def _search(study: StudyTables) -> str:
    searched = study.costs[study.costs["phase"] == "tune"]
    each = searched.groupby([*Condition._fields, "method"], dropna=False)["learning_rate"].nunique()
    tried = {str(method): (of.min(), of.max()) for method, of in each.groupby("method")}
    chosen = study.costs[study.costs["phase"] == "confirm"].drop_duplicates(["method", "learning_rate"])
    rates = {str(m): sorted(t["learning_rate"].dropna()) for m, t in chosen.groupby("method", sort=False)}
    words = [
        f"{method} {', '.join(f'{rate:g}' for rate in values)} "
        f"({_tried(*tried[method]) if method in tried else 'not searched for'})"
        for method, values in rates.items()
        if values
    ]
    return f"Learning rates: {'; '.join(words)}." if words else "No run was trained."


def _tried(fewest: int, most: int) -> str:
    """``4 rates tried``; of several conditions, in each."""
    return f"{count(int(most), 'rate') if fewest == most else f'{fewest} to {most} rates'} tried"


def _intervals(study: StudyTables) -> str:
    trained = study.estimates[study.estimates["method"] != BASE]
    if trained.empty:
        return "Nothing was estimated."
    usual = int(trained["seeds"].mode().max())
    about = "seeds and documents" if usual > 1 else "documents alone, as there is one seed"
    words = count(usual, "seed")
    others = trained[trained["seeds"] != usual]
    if len(others):
        about = _over(usual)
        low, high = int(trained["seeds"].min()), int(trained["seeds"].max())
        exceptions = []
        for seeds in sorted({int(number) for number in others["seeds"]}):
            names = dict.fromkeys(str(name) for name in others.loc[others["seeds"] == seeds, "method"])
            exceptions.append(f"{seeds} for {joined([*names])} ({_over(seeds)})")
        words = f"{low} to {count(high, 'seed')}: {usual}, but {'; '.join(exceptions)}"
    confidence = confidence_text(study.conclusions)
    apart = "" if confidence == "95 %" else f" (of differences {confidence}, for the study's looks)"
    return f"95 % intervals{apart} over {about}; {words}; p-values are Holm-corrected."


def _over(seeds: int) -> str:
    return "seeds and documents" if seeds > 1 else "documents alone"


def _compute(study: StudyTables) -> str:
    runs = _trained(study)
    if not runs:
        return "No run was trained here."
    spent = [run.costs for run in runs]
    seconds = [cost.train_seconds for cost in spent if cost.train_seconds is not None]
    gpu = [cost.cuda_allocated_bytes for cost in spent if cost.cuda_allocated_bytes is not None]
    memory = gpu or [cost.peak_memory_bytes for cost in spent if cost.peak_memory_bytes is not None]
    parameters: dict[str, int] = {}  # of each base: the run of fewest weights has no adapter, or a small one
    for run in runs:
        if (total := run.costs.total_parameters) is not None:
            parameters[run.spec.model.name] = min(total, parameters.get(run.spec.model.name, total))
    named = len(parameters) > 1
    sizes = [f"{size:,} parameters{f' ({name})' if named else ''}" for name, size in parameters.items()]
    unknown = len(runs) - len(seconds)
    least = f" at least ({count(unknown, 'run')} not measured)" if unknown else ""
    devices = sorted({str(run.environment.get("device") or "an unrecorded device") for run in runs})
    parts = [
        count(len(runs), "training run"),
        f"{amount(sum(seconds), 'seconds')} of training in all{least}" if seconds else "time not measured",
        f"peak memory {'allocated on the GPU ' if gpu else ''}{amount(max(memory), 'bytes')}"
        if memory
        else "memory not measured",
        joined(sizes) if sizes else "number of parameters not recorded",
    ]
    return f"{', '.join(parts)}, on {'; '.join(devices)}."


def _reproducible(study: StudyTables) -> str:
    runs = _trained(study)
    prints = sum(bool(run.spec.fingerprints) for run in runs)
    return (
        "Every run's settings, seed and versions are recorded; "
        f"{prints} of {len(runs)} name the fingerprints of their data. See “How to reproduce”."
    )


def _sizes(study: StudyTables) -> str:
    trained = {
        (run.spec.dataset.name, run.spec.data.train, run.spec.data.validation, run.spec.data.test)
        for run in _trained(study)
        if run.spec.dataset and run.spec.data
    }
    # A study may have grown: its runs were specified when it had fewer test documents.
    reports = study.conclusions.data
    now = {name: (report.sizes.validation, report.sizes.test) for name, report in reports.items()}
    parts = {(name, train, *now.get(name, held_out)) for name, train, *held_out in trained}
    words = [f"{name}: {train} training, {validation} validation, {test} test documents"
             for name, train, validation, test in sorted(parts)]  # fmt: skip
    return f"{'; '.join(words)}." if words else "No run was trained."


def _licences(study: StudyTables) -> str:
    named = {}
    for run in study.runs.values():
        for spec in (run.spec.model, run.spec.dataset):
            if spec is not None:
                named[spec.name] = spec.license or "not stated"
    return "; ".join(f"{name}: {licence}" for name, licence in named.items()) or "Nothing was run."


def _versions(study: StudyTables) -> str:
    return ", ".join(versions(study)) or "Not recorded."


def versions(study: StudyTables) -> list[str]:
    """Return the packages that the runs used, as ``torch==2.13.0``; several if runs differ.

    They are shown as part of a command: what a record made up is quoted for the shell.
    """
    packages = {
        shlex.quote(visible(f"{name}=={version}"))
        for run in study.runs.values()
        for name, version in (run.environment.get("versions") or {}).items()
        if version and name != "python"
    }
    return sorted(packages)


def installation(study: StudyTables) -> str | None:
    """Return the command that installs the runs' versions; None if they differ, or none was recorded.

    Without the local part of a version, as `+cpu` of torch, which no index has.
    """
    found: dict[str, set[str]] = {"bakeoff": set()}
    for run in study.runs.values():
        for name, version in (run.environment.get("versions") or {}).items():
            if version and name != "python":
                found.setdefault(name, set()).add(str(version).partition("+")[0])
    if len(found) == 1 or any(len(numbers) > 1 for numbers in found.values()):
        return None
    pins = (f"{name}=={next(iter(numbers))}" if numbers else name for name, numbers in sorted(found.items()))
    return " ".join(["pip install", *(shlex.quote(visible(pin)) for pin in pins)])
