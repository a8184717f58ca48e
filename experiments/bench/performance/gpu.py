"""`make gpu`: the tests marked `gpu`, the quickstart and the benches on a CUDA device, and docs/gpu.md."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # noqa: S405 - reads what pytest has just written

from experiments.bench.performance import gpu_page, results
from experiments.bench.performance.parts import for_gpu
from experiments.bench.performance.results import PartResult
from experiments.bench.performance.run import Outcome, measure, output_of
from experiments.bench.synthetic.shapes import base_folder
from toolkit.errors import UserError
from toolkit.records import RunRecord
from toolkit.records.folders import Root
from toolkit.runtime import module_command

MINUTES = 34.0
"""After so many, what is left is named as not measured."""
Say = Callable[[str], None]
TRIAL = (
    "data={train: 12, validation: 4, test: 6, max_characters: 320}",
    "train={batch_tokens: 1024, validations: 1, precision: fp32}",
    "evaluate={max_new_tokens: 12}",
)
"""Overrides that make the quickstart one of seconds."""


def run(
    say: Say,
    *,
    quick: bool = False,
    minutes: float = MINUTES,
    page: Path = gpu_page.PAGE,
    parent: Path = results.FOLDER,
    build: Path = Path("build/gpu"),
) -> list[Outcome]:
    """Do every step that has no result yet, then write the page from all results; see `make gpu`.

    ``quick`` tries each step at toy size, on any device. ``build`` holds the quickstart's runs. Raises
    UserError without a CUDA device.
    """
    end = time.monotonic() + 60 * minutes
    facts = results.environment()
    if "cuda" not in facts and not quick:
        raise UserError(
            f"make gpu: torch {facts['versions']['torch']} sees no CUDA device here; docs/gpu.md stays as it "
            "is. With a GPU, install the build of torch that fits its driver (docs/tutorials/gpu.md)"
        )
    folder = results.folder_for(str(facts["device"]), quick, parent)
    build = build / folder.name
    outcomes = [
        _step("tests", folder, facts, say, lambda: _tests(say, end)),
        _step("quickstart", folder, facts, say, lambda: _quickstart(build, say, end, quick)),
    ]
    parts = for_gpu()
    left = max(0.0, (end - time.monotonic()) / 60)
    outcomes += measure(parts, folder, facts, say, quick=quick, minutes=left)
    failures = {one.part: one.error or one.status for one in outcomes if one.file is None}
    steps = {name: PartResult.read(folder / f"{name}.json") for name in STEPS if name not in failures}
    gpu_page.write(page, folder, steps | results.read_all(folder, quick, parts), failures)
    return outcomes


STEPS = ("tests", "quickstart")
MARK = "pytest.mark.gpu"


def _step(
    name: str, folder: Path, environment: dict[str, Any], say: Say, work: Callable[[], dict[str, Any]]
) -> Outcome:
    """Do a step and write its result, unless there is one."""
    path = folder / f"{name}.json"
    if path.is_file():
        before = PartResult.read(path)
        say(f"{name}: done before, {before.date}")
        return Outcome(part=name, status="kept", seconds=before.seconds, file=str(path))
    say(f"{name}: started")
    began = time.monotonic()
    try:
        measured = work()
    except TimeoutError:
        return Outcome(part=name, status="no time left")
    except UserError as error:
        say(f"{name}: failed: {error}")
        return Outcome(part=name, status="failed", error=str(error))
    seconds = round(time.monotonic() - began, 1)
    PartResult(
        part=name,
        command=("run", "quickstart") if name == "quickstart" else (),
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        seconds=seconds,
        environment=environment,
        measured=measured,
    ).write(path)
    return Outcome(part=name, status="measured", seconds=seconds, file=str(path))


def _tests(say: Say, end: float) -> dict[str, Any]:
    """Run the tests marked `gpu`; return how many passed and were skipped. Raises UserError if one fails."""
    files = [str(f) for f in sorted(Path("tests").rglob("test_*.py")) if MARK in f.read_text("utf-8")]
    if not files:
        raise UserError("no tests marked gpu below tests/: run it in a clone of the repository")
    with tempfile.TemporaryDirectory(prefix="bakeoff-gpu-") as folder:
        report = Path(folder) / "tests.xml"
        options = ("-m", "gpu", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *files)
        try:
            output_of(module_command("pytest", *options), say, end - time.monotonic())
        except UserError:
            if not report.is_file():
                raise
        return counts(report.read_text(encoding="utf-8"))


def counts(report: str) -> dict[str, Any]:
    """Return `passed` and `skipped` of a JUnit report; raise UserError with the tests that failed."""
    cases = list(ElementTree.fromstring(report).iter("testcase"))  # noqa: S314 - see above
    failed = [c.get("name") for c in cases if c.find("failure") is not None or c.find("error") is not None]
    if failed or not cases:
        raise UserError(f"tests failed: {', '.join(map(str, failed))}" if failed else "no test is marked gpu")
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"passed": len(cases) - skipped, "skipped": skipped}


def _quickstart(root: Path, say: Say, end: float, quick: bool) -> dict[str, Any]:
    """Bring the quickstart up to date under ``root``; return its runs' costs and its verdicts."""
    with contextlib.ExitStack() as stack:
        overrides: Sequence[str] = ()
        if quick:
            folder = stack.enter_context(base_folder("tiny-shape"))
            overrides = (*TRIAL, f"base_models={{name: tiny, folder: '{folder}'}}")
        command = ("run", "quickstart", *overrides, "--root", str(root), "--json")
        text = output_of(module_command("experiments.cli", *command), say, end - time.monotonic())
    conclusions = json.loads(text)
    records = [RunRecord.read(path) for path in sorted(Root(root).runs.glob("*/run.json"))]
    return {
        "runs": [
            {
                "method": record.spec.method.name,
                "precision": record.precision,
                "validation_bits_per_byte": record.validation_bits_per_byte,
                **record.costs.model_dump(
                    include={
                        "supervised_tokens_per_second",
                        "train_seconds",
                        "peak_memory_bytes",
                        "cuda_allocated_bytes",
                    }
                ),
            }
            for record in records
            if not record.spec.is_base
        ],
        "cells": [cell["status"] for cell in conclusions["cells"]],
    }


def main() -> int:
    """Entry point; exit code 1 if a step failed, 2 if nothing could be run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="try every step at toy size, on any device")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="stop after so many")
    parser.add_argument("--page", type=Path, default=gpu_page.PAGE, help="the page's path")
    settings = parser.parse_args()
    try:
        outcomes = run(
            lambda line: print(line, file=sys.stderr, flush=True),
            quick=settings.quick,
            minutes=settings.minutes,
            page=settings.page,
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Page: {settings.page}")
    return int(any(outcome.status == "failed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
