"""docs/gpu.md, written from what `make gpu` measured; without results it reports that it was not yet run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from experiments.bench.performance import page as performance
from experiments.bench.performance.parts import for_gpu
from experiments.bench.performance.results import PartResult
from experiments.bench.performance.tables import MISSING, Row, gigabytes, memory, number
from toolkit.records.files import write_text

PAGE = Path("docs/gpu.md")
ESTIMATES = {"tests": 2, "quickstart": 4, "benches": 26}
"""Minutes on one GPU, without `make setup`; nobody has measured them yet."""
COMMANDS = {
    "tests": "`pytest -m gpu`",
    "quickstart": "`bakeoff run quickstart`",
    "benches": "`bakeoff bench all`, growth measured once, without the parts about CPUs and the largest data "
    "files",
}
TEXT = """# Measured on a GPU

{status}

```console
$ make gpu
```

On one GPU and without a Hub connection, this command runs the tests marked `gpu`, the quickstart and the
benches, then writes this page. If it is stopped, the same command continues. It ends after 34 minutes at the
latest and lists what it had no time for. [On a GPU](tutorials/gpu.md) names the torch to install first.

{steps}
{measured}"""
NOT_YET = (
    "**Not yet run.** No GPU was available. Tests run every step at toy size on a CPU; the minutes below are "
    "estimates."
)


def write(
    page: Path, folder: Path, results: Mapping[str, PartResult], failures: Mapping[str, str] | None = None
) -> None:
    """Write the page from the results of steps and parts; ``failures`` are why others have none."""
    write_text(page, text(page, folder, results, failures or {}))


def text(page: Path, folder: Path, results: Mapping[str, PartResult], failures: Mapping[str, str]) -> str:
    """Return the page's text, and draw the figures of what was measured."""
    parts = {name: result for name, result in results.items() if name not in ESTIMATES}
    if not results:
        return TEXT.format(status=NOT_YET, steps=_steps(results), measured="")
    measured = [performance.machine_text(list(results.values())), f"\n\nResults: `{folder.as_posix()}`.\n\n"]
    if "quickstart" in results:
        measured.append(_quickstart(results["quickstart"]))
    measured.append(performance.sections_text(parts, page))
    wanted = ("tests", "quickstart", *(part.name for part in for_gpu()))
    missing = [f"- {name}: {failures.get(name, 'not yet')}" for name in wanted if name not in results]
    measured.append("## Not measured\n\n" + ("\n".join(missing) or "Nothing is missing.") + "\n")
    device = next(iter(results.values())).device
    return TEXT.format(status=f"Run on: {device}.", steps=_steps(results), measured="".join(measured))


def _steps(results: Mapping[str, PartResult]) -> str:
    """Return the table of steps: estimated minutes, and those it took."""
    rows: list[Row] = [("step", "command", "estimated minutes", "minutes", "outcome")]
    for name, minutes in ESTIMATES.items():
        of_step = [
            r for key, r in results.items() if key == name or (name == "benches" and key not in ESTIMATES)
        ]
        took = f"{sum(result.seconds for result in of_step) / 60:.1f}" if of_step else MISSING
        rows.append((name, COMMANDS[name], str(minutes), took, _outcome(name, of_step)))
    return performance.table(rows) + "\n"


def _outcome(name: str, results: list[PartResult]) -> str:
    if not results:
        return "not yet run"
    if name == "tests":
        measured = results[0].measured
        return f"{measured['passed']} passed, {measured['skipped']} skipped"
    if name == "quickstart":
        cells = results[0].measured["cells"]
        return f"{cells.count('finished')} of {len(cells)} cells finished"
    return f"{len(results)} of {len(for_gpu())} parts measured"


def _quickstart(result: PartResult) -> str:
    rows: list[Row] = [
        (
            "method",
            "precision",
            "supervised tokens/s",
            "training seconds",
            "peak memory (GB)",
            "bits per byte",
        )
    ]
    for run in result.measured["runs"]:
        rows.append(
            (
                run["method"],
                run["precision"],
                number(run["supervised_tokens_per_second"]),
                number(run["train_seconds"], 1),
                gigabytes(memory(run)),
                number(run["validation_bits_per_byte"], 3),
            )
        )
    return f"## The quickstart\n\n{performance.table(rows)}\n\n"
