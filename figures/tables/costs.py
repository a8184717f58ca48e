"""Table of what training cost."""

from __future__ import annotations

from figures.tables.table import Table, with_untuned
from figures.tidy.load import StudyTables
from figures.wording.names import MISSING, amount

COSTS = {
    "train_seconds": ("training time", "seconds"),
    "supervised_tokens_per_second": ("tokens/s", "count"),
    "peak_memory_bytes": ("peak memory", "bytes"),
    "cuda_allocated_bytes": ("peak GPU memory", "bytes"),
    "optimizer_state_bytes": ("optimizer state", "bytes"),
    "trainable_parameters": ("trainable parameters", "count"),
    "artifact_bytes": ("saved size", "bytes"),
}


def costs(part: StudyTables) -> Table:
    """Return what a method's evaluated runs cost, mean over seeds; columns nobody measured are left out."""
    spent = part.costs[(part.costs["phase"] == "confirm") & (part.costs["status"] == "finished")]
    columns = [name for name in COSTS if spent[name].notna().any()]
    rows = []
    for label, of_method in with_untuned(spent).groupby("label", sort=False):
        words = [amount(of_method[name].mean(), COSTS[name][1]) for name in columns]
        devices = ", ".join(dict.fromkeys(str(device) for device in of_method["device"].dropna())) or MISSING
        rows.append((str(label), str(of_method["seed"].nunique()), *words, devices))
    header = ("method", "seeds", *(COSTS[name][0] for name in columns), "device")
    numbers = spent[["method", "label", "untuned", "seed", *columns, "device"]]
    return Table(
        name="costs", title="Costs", header=header, rows=rows, note="Means over seeds.", numbers=numbers
    )
