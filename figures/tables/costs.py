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
    """Return what a method's evaluated runs cost on a device, mean over seeds.

    Columns nobody measured are left out. A method that ran on several devices has a row for each.
    """
    spent = part.costs[(part.costs["phase"] == "confirm") & (part.costs["status"] == "finished")]
    columns = [name for name in COSTS if spent[name].notna().any()]
    rows = []
    named = with_untuned(spent).assign(device=spent["device"].fillna(MISSING))
    for (label, device), of_method in named.groupby(["label", "device"], sort=False):
        words = [amount(of_method[name].mean(), COSTS[name][1]) for name in columns]
        rows.append((str(label), str(of_method["seed"].nunique()), *words, str(device)))
    header = ("method", "seeds", *(COSTS[name][0] for name in columns), "device")
    numbers = spent[["method", "label", "untuned", "seed", *columns, "device"]]
    return Table(
        name="costs", title="Costs", header=header, rows=rows, note="Means over seeds.", numbers=numbers
    )
