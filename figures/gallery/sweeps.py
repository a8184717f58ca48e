"""Figures of quality along an axis of a study: training documents, epochs, capacity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd

from figures.gallery.figure import FigureSpec, headline
from figures.plots.sweep import along, differences_along
from figures.tidy.load import StudyTables
from figures.wording.pairs import confidence_text
from toolkit.records import BASE

TITLES = {"train_size": "training documents", "epochs": "epochs", "capacity": "capacity"}


def sweeps(study: StudyTables) -> Iterator[tuple[FigureSpec, str]]:
    """Figures for each axis that has several levels, and what tells them from others of their kind."""
    metrics = headline(study)
    to_baseline = study.comparisons[study.comparisons["baseline"] == study.conclusions.baseline]
    for x, other in (("train_size", "epochs"), ("epochs", "train_size")):
        places = ["base_model", "dataset", other]
        for place, part in study.estimates.groupby(places, sort=False, dropna=False):
            if part[x].nunique() < 2:
                continue
            names = dict(zip(places, place, strict=True))
            several = ", ".join(_in_words(k, v) for k, v in names.items() if study.estimates[k].nunique() > 1)
            yield _along(metrics, part, x), several
            here = (to_baseline[list(names)] == pd.Series(names)).all(axis=1)
            pairs = to_baseline[here & to_baseline["difference"].notna()]
            if pairs[x].nunique() > 1:
                yield _differences(study, metrics, pairs, x), several


def _in_words(key: str, value: object) -> str:
    """A base model or data set as it is; ``2 epochs``, ``200 training documents``."""
    if key == "epochs":
        return f"{value:g} epoch{'' if value == 1 else 's'}"
    return f"{value:,} training documents" if key == "train_size" else str(value)


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
    known = table[(table["method"] != BASE) & table["value"].notna() & table[x].notna()]
    tables = [table[table["metric"] == metric] for metric in metrics if metric in set(known["metric"])]
    return FigureSpec(
        name=f"{x.replace('_', '-')}-sweep",
        title=f"Quality against {TITLES[x]}",
        caption=captions[x],
        panels=[(partial(along, x=x), one) for one in tables],
        columns=min(3, len(tables)) or 1,
        heights=[2.8] * -(-len(tables) // 3),
    )


def _differences(study: StudyTables, metrics: list[str], pairs: pd.DataFrame, x: str) -> FigureSpec:
    tables = [pairs[pairs["metric"] == metric] for metric in metrics if metric in set(pairs["metric"])]
    plot = partial(differences_along, x=x, confidence=confidence_text(study.conclusions))
    return FigureSpec(
        name=f"{x.replace('_', '-')}-sweep-differences",
        title=f"Differences to {pairs['baseline_label'].iloc[0]} against {TITLES[x]}",
        caption="Paired by seed and document, so that a difference may be clear where the intervals of the "
        "two values overlap. Equivalent means that the whole interval lies inside the margin.",
        panels=[(plot, table) for table in tables],
        columns=min(2, len(tables)),  # verdicts stand side by side
        heights=[2.6] * -(-len(tables) // 2),
    )
