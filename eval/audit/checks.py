"""All checks of an audit, and whether its findings forbid a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from eval.audit import evidence, seeds
from eval.audit.alike import on_different_sides, same
from eval.audit.costs import busy_machine
from eval.audit.search import learning_rates
from eval.metrics import Metric, all_metrics
from toolkit.records import Cell, Condition, DataReport, Finding, RunRecord, StudyRecords


def audit(
    records: StudyRecords,
    *,
    matched_parameters: bool = False,
    metrics: Sequence[Metric] = (),
    margins: Mapping[str, float] = MappingProxyType({}),
    data: Mapping[str, DataReport] = MappingProxyType({}),
) -> list[Finding]:
    """Return all findings, condition by condition.

    ``matched_parameters``: whether the study claims that. ``metrics``: those that get a verdict; default:
    those marked as headline metrics. ``margins``: the study's own, by metric. ``data``: data set -> its
    report, for what methods from elsewhere were trained on.
    """
    headline = metrics or [metric for metric in all_metrics().values() if metric.headline]
    findings: list[Finding] = []
    cells, runs = records.cells, records.runs
    for condition in dict.fromkeys(cell.condition for cell in cells):
        panel = [cell for cell in cells if cell.condition == condition]
        keys = [(cell.run_id, cell.eval_digest) for cell in panel]  # one evaluation of a run per condition
        evaluations = {key[0]: records.evaluations[key] for key in keys if key in records.evaluations}
        confirmed = [cell for cell in panel if cell.phase == "confirm" and cell.run_id in runs]
        trained = [cell for cell in confirmed if runs[cell.run_id].spec.method.trained_here]
        untouched = [cell for cell in panel if cell.phase == "base"]
        of_condition = [
            *_one_seed_one_stream(trained, runs),
            same("base weights", "refused", panel, runs, lambda r: r.environment.get("base_revision")),
            same("test part", "refused", panel, evaluations, lambda e: e.test),
            same("decoding", "refused", panel, evaluations, lambda e: e.spec.digest),
            same("epochs", "refused", trained, runs, lambda r: r.spec.train.epochs),
            same("precision", "refused", trained, runs, lambda r: r.precision),
            *_attention(trained, runs),
            *evidence.documents(panel, evaluations, records),
            *evidence.seeds(trained),
            *evidence.weights(panel, records),
            *seeds.odd_seeds(trained, evaluations, headline, untouched, margins),
            *seeds.uneven(trained, evaluations, headline),
            *(evidence.matched_parameters(trained, records) if matched_parameters else []),
            *([_end_labels(trained, runs), *_training_settings(trained, runs)] if trained else []),
            *_special_tokens(trained, runs),
            *learning_rates(panel),
            same("device", "flagged", panel, runs, lambda r: r.environment.get("device")),
            same("versions", "flagged", panel, runs, lambda r: r.environment.get("versions")),
            *busy_machine(trained, runs),
            *_left_out(trained, runs),
            *_elsewhere(confirmed, runs, data.get(condition.dataset)),
            *_converted(confirmed, runs),
            *_not_finished(panel),
        ]
        findings += [finding.model_copy(update=condition._asdict()) for finding in of_condition]
    return findings


def _elsewhere(
    cells: Sequence[Cell], runs: Mapping[str, RunRecord], data: DataReport | None
) -> list[Finding]:
    """One finding per method that was trained elsewhere, and one on its training data if that is given."""
    compared = {} if data is None else data.trained_on
    unknown = "its costs and its training data (no `trained_on`) are unknown: that may hold test documents"
    findings = []
    for cell in cells:
        method = runs[cell.run_id].spec.method
        if not method.elsewhere:
            continue
        how = f"trained elsewhere, not tuned here ({method.trained_by or 'how: unknown'})"
        rest = "its costs are unknown" if cell.method in compared else unknown
        about = f"{cell.method}: {how}; {rest}"
        findings.append(
            Finding(check="trained elsewhere", status="flagged", text=about, methods=(cell.method,))
        )
        if cell.method in compared:
            findings.append(evidence.training_data(cell.method, compared[cell.method]))
    return findings


_CONVERTED = {
    "lora": "{0.convert} converted to LoRA of rank {0.rank:g}",
    "merged": "{0.convert} merged into the base model",
    "bf16": "{0.convert} as a whole model rounded to bf16",
    "random": "random weights with the shapes and norms of {0.convert}, a floor and not a method",
}


def _converted(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    """One finding per method that is converted from another; a floor of random weights is flagged."""
    methods = {cell.method: runs[cell.run_id].spec.method for cell in cells}
    return [
        Finding(
            check="converted",
            status="flagged" if method.to == "random" else "ok",
            text=f"{name}: {_CONVERTED[method.to].format(method)}; what converting costs is unknown",
            methods=(name,),
        )
        for name, method in methods.items()
        if method.to is not None
    ]


def refused(findings: Iterable[Finding], condition: Condition, methods: set[str]) -> str | None:
    """Return why these methods may not be compared under this condition; None if they may."""
    for finding in findings:
        place = (finding.base_model, finding.dataset, finding.train_size, finding.epochs)
        if place != condition or finding.status != "refused":
            continue
        if on_different_sides(finding.sides, methods) if finding.sides else _concerns(finding, methods):
            return f"{finding.check}: {finding.text}"
    return None


def _concerns(finding: Finding, methods: set[str]) -> bool:
    return not finding.methods or bool(methods & set(finding.methods))


def _one_seed_one_stream(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    """For each seed every method must have been fed the same tokens in the same order."""
    by_seed = []
    for seed in sorted({cell.seed for cell in cells}):
        group = [cell for cell in cells if cell.seed == seed]
        by_seed.append(same(f"training tokens, seed {seed}", "refused", group, runs, _stream))
    wrong = [finding for finding in by_seed if finding.status != "ok"]
    if wrong or not by_seed:
        return wrong
    counts = sorted({data.tokens for c in cells if (data := runs[c.run_id].data)})
    size = ", ".join(f"{n:,}" for n in counts)
    text = f"the same in the same order for every method of a seed ({size} per epoch)"
    return [Finding(check="training tokens", status="ok", text=text)]


def _stream(run: RunRecord) -> object:
    return run.data and (run.data.stream_hash, run.data.tokens)


def _end_labels(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> Finding:
    low = sorted({c.method for c in cells if (d := runs[c.run_id].data) and d.end_labels < 1})
    if low:
        return Finding(
            check="end labels",
            status="flagged",
            text="not every training document ends, supervised, in the end marker and end-of-text",
            methods=tuple(low),
        )
    return Finding(
        check="end labels", status="ok", text="every training document keeps its end marker and end-of-text"
    )


def _special_tokens(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    counts = [data.special_tokens or 0 for cell in cells if (data := runs[cell.run_id].data)]
    if not any(counts):
        return []
    text = (
        f"training documents with a special token of the base written in their text, such as </s>: "
        f"{max(counts):,}. It is read as that token, and no generated text can have it"
    )
    return [Finding(check="special tokens", status="flagged", text=text)]


def _training_settings(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    """A setting in which methods differ is allowed (an entry may ask for it) and always shown."""
    settings: dict[str, dict[str, set[str]]] = {}
    for cell in cells:
        for key, value in runs[cell.run_id].spec.train.model_dump().items():
            settings.setdefault(key, {}).setdefault(str(value), set()).add(cell.method)
    return [
        Finding(
            check=f"train.{key}",
            status="flagged",
            text="; ".join(f"{', '.join(sorted(names))}: {value}" for value, names in values.items()),
        )
        for key, values in settings.items()
        if len(values) > 1 and key not in ("epochs", "precision")
    ] or [Finding(check="training settings", status="ok", text="the same for all but the learning rate")]


def _attention(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    """How models computed attention, whatever was requested; nothing if no run recorded it."""
    if not any(runs[cell.run_id].environment.get("attention") for cell in cells):
        return []
    return [same("attention", "flagged", cells, runs, lambda r: r.environment.get("attention"))]


def _left_out(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    counts = {d.left_out_too_long for c in cells if (d := runs[c.run_id].data)}
    if not any(counts):
        return []
    text = (
        f"{max(counts)} training documents exceed train.max_length and were left out, for every method alike"
    )
    return [Finding(check="left out", status="flagged", text=text)]


def _not_finished(cells: Sequence[Cell]) -> list[Finding]:
    return [
        Finding(
            check=cell.status,
            status="flagged",
            text=f"{cell.method} at {cell.learning_rate}, seed {cell.seed}: {cell.error or 'unexplained'}",
            methods=(cell.method,),
        )
        for cell in cells
        if cell.status != "finished"
    ]
