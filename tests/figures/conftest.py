"""A study as `bakeoff run` leaves it, with made-up numbers, written through the record classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean

import pytest

from figures.report.page import build
from figures.style import Style
from tests.figures.made_up import (
    BASE,
    DATASET,
    DECODING,
    DOCUMENTS,
    EXTRA,
    LABELS,
    UNITS,
    data_report,
    decoding_effects,
    evaluation,
    failing,
    failure_counts,
    level,
    outcomes,
    run_record,
    setting_estimates,
    steps,
)
from toolkit import records as r
from toolkit.records.files import write_text
from toolkit.records.folders import RunFolder

ONE_FORMAT = Style(formats=("svg",))
"""For tests of a report's text: a figure takes half the time without its PDF and PNG."""


def mean(name: str, method: str, seeds: int) -> float:
    """The method's mean over its seeds; the base has one."""
    return fmean(level(name, method, seed) for seed in range(1 if method == "base" else seeds))


def compare(method: str, baseline: str, name: str, seeds: int) -> r.Comparison:
    """The made-up difference, with the verdict that its interval and margin give."""
    _, direction, margin, half = UNITS[name]
    difference = mean(name, method, seeds) - mean(name, baseline, seeds)
    low, high = difference - half, difference + half
    sign = -1 if direction == "lower" else 1
    verdict = "undecided"
    if max(abs(low), abs(high)) < margin:
        verdict = "equivalent"
    elif low > 0 or high < 0:
        verdict = "better" if sign * difference > 0 else "worse"
    return r.Comparison(
        base_model=BASE,
        dataset=DATASET,
        method=method,
        baseline=baseline,
        metric=name,
        direction=direction,
        difference=difference,
        low=low,
        high=high,
        p=0.004,
        p_holm=0.03,
        margin=margin,
        verdict=verdict,
        speaks_about="checkpoints" if seeds <= 2 else "methods",
        unit=UNITS[name][0],
        label=LABELS[name],
        seeds=seeds,
        documents=DOCUMENTS,
        smallest_detectable=1.4 * half,
        needed_documents=310 if verdict == "undecided" else None,
    )


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A function that writes a study and returns its folder and the root."""
    return lambda **options: write_study(tmp_path, **options)


@pytest.fixture(scope="session", autouse=True)
def in_this_process() -> Iterator[None]:
    """Draw one figure after the other: starting processes takes longer than drawing a few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("figures.gallery.draw.MOST_PROCESSES", 1)
        yield


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report.html of the plainest study, built once; not to be changed."""
    return build(*write_study(tmp_path_factory.mktemp("report")))


def write_study(
    root: Path,
    *,
    methods: tuple[str, ...] = ("full", "lora-r16"),
    seeds: int = 1,
    tuned: bool = False,
    tests: dict[str, str] | None = None,
    devices: dict[str, str] | None = None,
    rates: int = 1,
    decodings: tuple[str, ...] = (DECODING,),
    extra: bool = False,
    looks: dict[str, r.MethodLook] | None = None,
) -> tuple[Path, Path]:
    """Write a study with the untouched base and ``methods``; ``tests`` and ``devices`` differ by method."""
    cells: list[r.Cell] = []
    for method in ("base", *methods):
        for seed in range(seeds if method != "base" else 1):
            for k in range(rates if method != "base" and seed == 0 else 1):
                rate = (
                    None
                    if method == "base"
                    else (1e-4 if method == "full" else 1e-3) * 2.0 ** (k - rates // 2)
                )
                chosen = k == rates // 2 or seed > 0 or method == "base"
                rate = rate if seed == 0 or rate is None else rate * 2.0 ** (rates // 2)
                record = run_record(
                    method, seed, rate, (devices or {}).get(method, "CPU: a processor, 2 cores")
                )
                folder = RunFolder(root, record.run_id)
                about = {
                    "base_model": BASE,
                    "dataset": DATASET,
                    "method": method,
                    "learning_rate": rate,
                    "seed": seed,
                    "run_id": record.run_id,
                    "tuned": tuned,
                    "status": "finished",
                }
                if rates > 1 and seed == 0 and method != "base":
                    cells.append(r.Cell(**about, phase="tune", eval_digest=None))
                    worse = record.validation_bits_per_byte or 0.0
                    update = {"validation_bits_per_byte": worse + 0.01 * (k - rates // 2) ** 2}
                    record = record.model_copy(update=update)
                record.write(folder.record)
                if method != "base":
                    r.write_lines(folder.steps, steps(method, seed))
                if chosen:
                    phase = "base" if method == "base" else "confirm"
                    cells.append(r.Cell(**about, phase=phase, eval_digest="e0e0e0"))
                    test = (tests or {}).get(method, "7e577e57")
                    evaluation(record, method, seed, test, extra).write(folder.evaluation("e0e0e0"))
                    r.write_lines(folder.outcomes("e0e0e0"), outcomes(method))
    write_conclusions(
        root, cells, methods, seeds, decodings, {**UNITS, **(EXTRA if extra else {})}, looks or {}
    )
    return root / "results" / "made-up", root


def write_conclusions(
    root: Path,
    cells: list[r.Cell],
    methods: tuple[str, ...],
    seeds: int,
    decodings: tuple[str, ...],
    units: dict[str, tuple[str, str, float, float]],
    looks: dict[str, r.MethodLook],
) -> None:
    """Write comparisons.json, failures.jsonl and study.yaml."""
    estimates = [
        r.Estimate(
            base_model=BASE,
            dataset=DATASET,
            method=method,
            metric=name,
            value=mean(name, method, seeds),
            low=mean(name, method, seeds) - units[name][3] / 1.5,
            high=mean(name, method, seeds) + units[name][3] / 1.5,
            seeds=seeds if method != "base" else 1,
            documents=DOCUMENTS,
            speaks_about="methods" if seeds > 2 and method != "base" else "checkpoints",
        )
        for method in ("base", *methods)
        for name in units
    ]
    pairs = [(m, methods[0]) for m in methods[1:]] + [(m, "base") for m in methods]
    findings = (
        r.Finding(check="training tokens", status="ok", text="every method saw the same stream c0ffee"),
        r.Finding(check="learning rates", status="flagged", text="one learning rate a method: untuned"),
    )
    r.Conclusions(
        study="made-up",
        question="Is LoRA as good as full fine-tuning?",
        baseline=methods[0],
        headline=tuple(UNITS),
        cells=tuple(cells),
        estimates=tuple(estimates),
        comparisons=tuple(compare(m, b, name, seeds) for m, b in pairs for name in UNITS),
        audit=findings,
        settings=setting_estimates(methods, decodings) if len(decodings) > 1 else (),
        decoding=decoding_effects(methods, decodings) if len(decodings) > 1 else (),
        failures=tuple(failure_counts(cells, decodings)),
        looks=looks,
        data={DATASET: data_report()},
    ).write(root / "results" / "made-up" / "comparisons.json")
    r.write_lines(root / "results" / "made-up" / "failures.jsonl", failing(cells))
    write_text(
        root / "results" / "made-up" / "study.yaml", "base_models: [smollm2-135m-embedded]\nseeds: 1\n"
    )
