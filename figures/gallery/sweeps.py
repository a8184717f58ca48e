"""Figures of quality along an axis of a study: training documents, epochs, capacity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from figures.gallery.figure import FigureSpec, headline
from figures.plots.sweep import along
from figures.tidy.load import StudyTables
from toolkit.records import BASE


def sweeps(study: StudyTables) -> Iterator[tuple[FigureSpec, str]]:
    """A figure for each axis that has several levels, and what tells it from others of its kind."""
    for x, other in (("train_size", "epochs"), ("epochs", "train_size")):
        places = ["base_model", "dataset", other]
        for place, part in study.estimates.groupby(places, sort=False, dropna=False):
            if part[x].nunique() > 1:
                names = dict(zip(places, place, strict=True))
                several = [str(value) for key, value in names.items() if study.estimates[key].nunique() > 1]
                yield _along(headline(study), part, x), ", ".join(several)


def capacity(part: StudyTables) -> FigureSpec | None:
    """Quality against parameters per training token, where methods of one family differ in them."""
    spent = part.costs[(part.costs["phase"] == "confirm") & part.costs["train_tokens"].notna()]
    counts = spent.groupby("method", as_index=False)[["trainable_parameters", "train_tokens"]].mean()
    counts["capacity"] = counts["trainable_parameters"] / counts["train_tokens"]
    if counts["capacity"].nunique() < 3:
        return None
    table = part.estimates.merge(counts[["method", "capacity"]], on="method", how="left")
    return _along(headline(part), table, "capacity")


def _along(metrics: list[str], table: pd.DataFrame, x: str) -> FigureSpec:
    captions = {
        "train_size": "Each smaller training part is the start of the larger ones; the test part is the "
        "same. Every size has learning rates of its own where they were searched for.",
        "epochs": "Every number of epochs is a training of its own, with its own schedule, and with learning "
        "rates of its own where they were searched for.",
        "capacity": "Trainable parameters over the supervised tokens of one pass over the training part. "
        "LoRA is expected to follow full fine-tuning while it has enough of them, and to fall off below.",
    }
    titles = {"train_size": "training documents", "epochs": "epochs", "capacity": "capacity"}
    known = table[(table["method"] != BASE) & table["value"].notna() & table[x].notna()]
    tables = [table[table["metric"] == metric] for metric in metrics if metric in set(known["metric"])]
    return FigureSpec(
        name=f"{x.replace('_', '-')}-sweep",
        title=f"Quality against {titles[x]}",
        caption=captions[x],
        panels=[(partial(along, x=x), one) for one in tables],
        columns=min(3, len(tables)) or 1,
        heights=[2.8] * -(-len(tables) // 3),
    )
