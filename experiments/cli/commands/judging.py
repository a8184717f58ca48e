"""`bakeoff judge`: whether results that other tools wrote differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from experiments.cli.options import Json
from experiments.cli.output import out, print_json, print_rows
from toolkit.errors import UserError

if TYPE_CHECKING:
    from eval.foreign.judge import Judgement


def judge(
    *results: str,
    baseline: str | None = None,
    metric: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    references: Path | None = None,
    margin: float | None = None,
    shared_items: Annotated[bool, Parameter(negative="")] = False,
    direction: Literal["higher", "lower"] | None = None,
    report: Path | None = None,
    as_json: Json = False,
) -> int:
    """Compare results that other tools wrote: difference, interval, p-value and verdict.

    Reads lm-evaluation-harness samples (`--log_samples`), Every Eval Ever instances, PEFT method_comparison
    records, `trainer_state.json`, CSV files with the columns item and score (and seed), and text files with
    `--references`. Items are paired; results with other items, prompts or targets are refused. Exit code 1
    if nothing could be compared.

    Parameters
    ----------
    results
        A file or folder for each side, or `name=path,path` with one path per training seed.
    baseline
        The side that the others are compared with; the first one when not given.
    metric
        Only these metrics; all that every side has when not given.
    references
        A text file with one reference per line: the results are text files with one hypothesis per line.
    margin
        Equivalence margin in the metric's unit; without it nothing is called equivalent.
    shared_items
        Compare the items that all sides have, if some have more.
    direction
        Which way is better for the metrics that are compared; by their names and files when not given.
    report
        Write the table (CSV, Markdown, LaTeX), a forest plot per task, report.md and report.html into this
        folder.
    """
    from eval.foreign import read
    from eval.foreign.judge import judge as compare
    from eval.foreign.sources.texts import sacrebleu_p_values

    paths = _named(results)
    first = baseline or next(iter(paths), "")
    sides = {name: [s for path in files for s in read(path, references)] for name, files in paths.items()}
    judgement = compare(
        sides, first, metrics=metric or (), margin=margin, shared_items=shared_items, direction=direction
    )
    texts: dict[str, float] = {}
    if references is not None and all(len(files) == 1 for files in paths.values()):
        texts = sacrebleu_p_values({name: files[0] for name, files in paths.items()}, references, first)
        same = [c.method for c in judgement.comparisons if (c.metric, c.difference) == ("bleu", 0)]
        texts = {name: p for name, p in texts.items() if name not in same}  # it calls equal scores certain
    page = None if report is None else _reported(report, judgement)
    if as_json:
        print_json(_as_json(judgement, texts))
    else:
        _show(judgement, texts)
        if page is not None:
            out.print(f"Report: {page}")
    return 1 if all(pair.verdict == "refused" for pair in judgement.comparisons) else 0


def _named(results: tuple[str, ...]) -> dict[str, list[Path]]:
    """`name=path,path` or a path, whose own name then names the side; paths may hold `=` and `,`."""
    named: dict[str, list[Path]] = {}
    for result in results:
        name, separator, files = ("", "", result) if Path(result).exists() else result.partition("=")
        given = files if separator else result
        paths = [Path(file) for file in ([given] if Path(given).exists() else given.split(",")) if file]
        label = name if separator else paths[0].stem if paths and paths[0].is_file() else result
        if not paths or label in named:
            raise UserError(f"judge: '{result}': give each side a name of its own: name=path")
        if len({path.resolve() for path in paths}) < len(paths):
            raise UserError(f"judge: '{result}': a file is given twice, and counts as one training seed")
        named[label] = paths
    return named


def _reported(folder: Path, judgement: Judgement) -> Path:
    """Write the report into a folder; return its page."""
    from figures.report.judged import build_judged

    found = judgement.estimates, judgement.comparisons, judgement.audit, judgement.unmatched
    return build_judged(folder, judgement.baseline, *found)


def _as_json(judgement: Judgement, texts: dict[str, float]) -> dict[str, Any]:
    return {
        "baseline": judgement.baseline,
        "estimates": [e.model_dump(mode="json") for e in judgement.estimates],
        "comparisons": [c.model_dump(mode="json") for c in judgement.comparisons],
        "audit": [f.model_dump(mode="json") for f in judgement.audit],
        "unmatched": judgement.unmatched,
        "sacrebleu_p": texts,
    }


def _show(judgement: Judgement, texts: dict[str, float]) -> None:
    values = {(e.dataset, e.metric, e.method): e.value for e in judgement.estimates}

    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.4g}"

    rows = [
        {
            "task": c.dataset,
            "metric": c.metric,
            "result": c.method,
            "value": shown(values[c.dataset, c.metric, c.method]),
            "baseline": shown(values[c.dataset, c.metric, judgement.baseline]),
            "difference": "" if c.difference is None else f"{c.difference:+.4g}",
            "95 % interval": "" if c.low is None or c.high is None else f"{c.low:+.4g} to {c.high:+.4g}",
            "p (Holm)": "" if c.p_holm is None else f"{c.p_holm:.3g}",
            "verdict": c.verdict,
            "n": f"{c.seeds} × {c.documents}" if c.documents else f"{c.seeds} seeds" if c.seeds else "",
            "note": c.reason or "",
        }
        for c in judgement.comparisons
    ]
    print_rows(f"against {judgement.baseline}", rows)
    for name, p in texts.items():
        line = f"sacreBLEU's own paired test of BLEU, {name} against {judgement.baseline}: p = {p:.4f}"
        out.print(line)
    for finding in judgement.audit:
        if finding.status != "ok":
            sides = " and ".join(finding.methods)
            out.print(f"{finding.status}: {sides}: {finding.text}")
    if judgement.unmatched:
        out.print(f"not in every result, left out: {', '.join(judgement.unmatched)}")
