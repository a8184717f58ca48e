"""Figures of what a value is made of: sections, failed checks, prompts and decodings."""

from __future__ import annotations

import pandas as pd

from figures.gallery.figure import BITS, FigureSpec
from figures.plots import breakdown, decodings
from figures.plots.common import short
from figures.tidy.load import StudyTables

PARTIAL = "structure_partial"
FAILED = "failed: "
"""How that metric names the counts of its failed checks."""


def sections(part: StudyTables) -> FigureSpec | None:
    """Bits per byte by section."""
    table = part.details[(part.details["metric"] == BITS) & part.details["value"].notna()]
    if table.empty:
        return None
    height = 0.9 + table["part"].nunique() * (0.2 + 0.13 * table["method"].nunique())
    return FigureSpec(
        name="sections",
        title="Bits per byte by section",
        caption="Which parts of the held-out documents a method predicts better. The scaffold is markers and "
        "line ends: nearly free to predict once learnt, and no sign of knowledge about the subject.",
        panels=[(breakdown.section_values, table)],
        heights=[height],
    )


def structure(part: StudyTables) -> FigureSpec | None:
    """Structure checks that some generation fails, by method; the caption names the others."""
    table = part.details[(part.details["metric"] == PARTIAL) & part.details["part"].str.startswith(FAILED)]
    if table.empty:
        return None
    table = table.assign(part=table["part"].str.removeprefix(FAILED))
    fails = set(table[table["value"] > 0]["part"])
    passed = [str(part) for part in dict.fromkeys(table["part"]) if part not in fails]
    table = table[table["part"].isin(fails)]
    if table.empty:
        return None
    rest = f" No generation of any method fails: {', '.join(passed)}." if passed else ""
    return FigureSpec(
        name="structure",
        title="Which structure checks the generations fail",
        caption="A check that cannot be made because its marker is missing counts as failed only once, as "
        f"“present”. A generation complies if it passes all of them.{rest}",
        panels=[(breakdown.failed_checks, table)],
        heights=[_grid_height(table)],
    )


MEANINGS = {
    "loop": "Loop: a phrase three times in a row, or eight words three times.",
    "unused_ingredients": "Unused ingredients: fewer than a quarter of those listed are mentioned again.",
}
"""What a class of failures is, if its name does not say it."""


def failures(part: StudyTables) -> FigureSpec | None:
    """Classes of failures by method, at the headline's setting, and what human texts have of them."""
    table = part.failures
    generated = table[table["decoding"].notna()]
    if generated.empty:
        return None
    first = generated.iloc[0]
    setting = ["prompt_mode", "decoding"]
    here = generated[(generated[setting] == first[setting]).all(axis="columns")]
    human = table[table["decoding"].isna() & (table["prompt_mode"] == first["prompt_mode"])]
    shown = pd.concat([here, human])
    occurs = set(shown[shown["value"] > 0]["part"])
    shown = shown[shown["part"].isin(occurs)]
    shown = shown.assign(part=shown["part"].str.replace("_", " "))
    if shown.empty:
        return None
    return FigureSpec(
        name="failures",
        title="How generations fail",
        caption=" ".join(
            [
                "A text may fail in several ways.",
                *(meaning for name, meaning in MEANINGS.items() if name in occurs),
                "References: the test documents, as if generated: what such rules say of texts by people.",
            ]
        ),
        panels=[(breakdown.failed_checks, shown)],
        heights=[_grid_height(shown)],
    )


def _grid_height(table: pd.DataFrame) -> float:
    """Inches: a row per part, and room for upright labels."""
    labels = [short(str(label), 24) for label in table["label"].unique()]
    upright = 0.06 * max(map(len, labels)) if breakdown.upright(labels) else 0.0
    return float(0.7 + 0.22 * table["part"].nunique() + upright)


def decoding_values(part: StudyTables) -> FigureSpec | None:
    """The headline's metrics of texts over the decodings: one row per metric, one column per prompt mode."""
    table = part.settings[part.settings["metric"].isin(part.conclusions.headline)]
    table = table[table["value"].notna()]
    if part.settings.empty or table.empty:
        return None
    names, modes = list(dict.fromkeys(table["metric"])), list(dict.fromkeys(part.settings["prompt_mode"]))
    first = part.settings.iloc[0]
    return FigureSpec(
        name="decodings",
        title="Every decoding and prompt",
        caption=f"Verdicts are about {first['decoding']}, prompted through the {first['prompt_mode']}. "
        "From left to right the draw is bolder. A longer prompt leaves less to write and to be scored, so "
        "values from two prompts are not compared.",
        panels=[
            (decodings.decoding_values if len(one) else decodings.nothing_measured, one)
            for name in names
            for mode in modes
            for one in [table[(table["metric"] == name) & (table["prompt_mode"] == mode)]]
        ],
        columns=len(modes),
        heights=[2.3] * len(names),
        share_y=True,
    )


def decoding_or_method(part: StudyTables) -> FigureSpec | None:
    """Shares of decoding, method, both and noise: one bar per metric, one panel per prompt mode."""
    table = part.effects[part.effects["share_noise"].notna()]
    if table.empty:
        return None
    modes = list(dict.fromkeys(table["prompt_mode"]))
    measured = {tuple(of_mode["metric"]) for _, of_mode in table.groupby("prompt_mode", sort=False)}
    return FigureSpec(
        name="decoding-or-method",
        title="How much is decoding, how much is method",
        caption="The differences between all cells of trained method x decoding, divided by a two-way "
        "analysis of variance; what noise is expected to add to each part is taken off it and shown as noise "
        "(method of moments: Searle, Casella and McCulloch 1992). Both together: decodings that do more for "
        "one method than for another. With other decodings or methods the shares are others.",
        panels=[(decodings.decoding_shares, table[table["prompt_mode"] == mode]) for mode in modes],
        columns=len(modes),
        heights=[1.1 + 0.22 * table["metric"].nunique()],
        share_y=len(measured) == 1,  # a metric may be measured with one prompt alone
    )
