"""The figures of docs/performance.md: one PNG per section, drawn from the parts' results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bench.performance.results import PartResult
from experiments.bench.performance.sections import Section
from experiments.bench.performance.tables import SIDES, has_fp32, memory
from experiments.bench.training.start import SPANS
from figures.plots import speed
from figures.style import Style, drawn, gather_legends, save

Plot = Callable[[pd.DataFrame, Axes], Axes]
Panel = tuple[Plot, pd.DataFrame]
SPEED = "supervised tokens per second"
MEMORY = "peak memory (GB)"


def picture(section: Section, results: Sequence[PartResult], folder: Path) -> Path:
    """Draw a section's figure and return the path of its PNG.

    Raises UserError for results of several machines.
    """
    panels = list(_panels(section, results))

    def draw() -> Figure:
        plot, table = panels[0]
        bars = table["label"].nunique() if "label" in table else 0
        height = 2.9 if plot is speed.growth else 0.7 + 0.28 * bars
        figure = Figure(figsize=(7.0, height), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for (plot, table), ax in zip(panels, axes, strict=True):
            plot(table, ax)
        gather_legends(figure)
        return figure

    style = Style(formats=("png",))
    stem = folder / section.name
    save(drawn(draw, style), stem, style)
    return stem.with_suffix(".png")


def _panels(section: Section, results: Sequence[PartResult]) -> Iterable[Panel]:
    """Yield each panel's plot and rows, those of every result with its device as `machine`."""
    measured, device = results[0].measured, [result.device for result in results]
    same = {"machine": device[0]}
    if section.name == "data":
        for column, unit, scale in (
            ("rows_per_second", "rows per second", 1),
            ("peak_memory_bytes", MEMORY, 1e9),
        ):
            rows = [
                _point("data", r.measured["rows"], r.measured[column] / scale, machine)
                for r, machine in zip(results, device, strict=True)
            ]
            yield speed.growth, pd.DataFrame(rows).assign(axis="rows", unit=unit)
    elif section.name == "choices":
        points = sorted(measured["points"], key=lambda point: str(point["method"]))
        labels = [f"{point['method']}, {point['value']}" for point in points]
        yield from _bars(labels, points, [point["value"] != "defaults" for point in points], same)
    elif section.name == "methods":
        names = [str(point["method"]) for point in measured["points"]]
        yield from _bars(names, measured["points"], [name in ("full", "lora-r16") for name in names], same)
    elif "points" in measured:
        yield from _growth(measured, same)
    elif section.name == "start":
        rows = [
            {"label": case, "span": span, "seconds": measured["spans"][case][span], **same}
            for span in SPANS
            for case in measured["spans"]
            if span in measured["spans"][case]
        ]
        yield speed.divided, pd.DataFrame(rows)
    elif "sides" in measured:
        names = [name for name in SIDES if measured["sides"].get(name)]
        sides = [measured["sides"][name] for name in names]
        yield from _bars([SIDES[n] for n in names], sides, [n in ("full", "lora-r16") for n in names], same)
    else:
        unit = "seconds" if section.name in ("stats", "study") else "tokens per second"
        several = len(results) > 1
        rows = [{"label": "baseline", "value": measured["baseline"], "ours": False}]
        for result in results:
            label = f"bakeoff, {result.measured['prompts']} prompts" if several else "bakeoff"
            if has_fp32(result):
                rows.append({"label": "bakeoff, fp32", "value": result.measured["ours_fp32"], "ours": True})
                label = f"bakeoff, {result.measured['precision']}"
            rows.append({"label": label, "value": result.measured["ours"], "ours": True})
        yield speed.speeds, pd.DataFrame(rows).assign(unit=unit, **same)


def _bars(
    labels: Sequence[str], sides: Sequence[dict[str, Any]], ours: Sequence[bool], same: dict[str, str]
) -> Iterable[Panel]:
    """Yield the panels of speed and of peak memory, a bar per side."""
    speeds = [side["tokens_per_second"] for side in sides]
    for values, unit in ((speeds, SPEED), ([memory(side) / 1e9 for side in sides], MEMORY)):
        table = pd.DataFrame({"label": list(labels), "value": values, "ours": list(ours)})
        yield speed.speeds, table.assign(unit=unit, **same)


def _growth(measured: dict[str, Any], same: dict[str, str]) -> Iterable[Panel]:
    axis = measured["axis"]
    of_base = {p["value"]: p.get("parameters") for p in measured["points"] if p["method"] == "full"}
    x = {p["value"]: float(of_base[p["value"]] if axis == "size" else p["value"]) for p in measured["points"]}
    labels = {
        "size": "parameters", "length": "tokens of a document", "batch": "tokens of a batch",
        "jobs": "runs at once", "processes": "processes",
    }  # fmt: skip
    speeds = [
        {
            **_point(p["method"], x[p["value"]], p["tokens_per_second"], same["machine"]),
            "low": p["lowest"],
            "high": p["highest"],
        }
        for p in measured["points"]
    ]
    peaks = [_point(p["method"], x[p["value"]], memory(p) / 1e9, same["machine"]) for p in measured["points"]]
    for rows, unit in ((speeds, SPEED), (peaks, MEMORY)):
        yield speed.growth, pd.DataFrame(rows).assign(axis=labels[axis], unit=unit)


def _point(method: str, x: float, value: float, machine: str) -> dict[str, Any]:
    return {"method": method, "x": x, "value": value, "low": None, "high": None, "machine": machine}
