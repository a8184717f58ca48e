"""`bakeoff merge`: which run is meant, and the texts that adapter and merged model are compared on."""

from __future__ import annotations

from pathlib import Path

from experiments.sharing.trust import base_of
from toolkit import runtime
from toolkit.data.prepare import prepare
from toolkit.errors import UserError
from toolkit.records import MergeRecord, RunRecord
from toolkit.records.folders import Root


def merge(run: str, root: Path) -> MergeRecord:
    """Merge a run's adapter into its base and compare the two on the run's validation split.

    ``run`` is a run id, its beginning, or what stands between two of its dots: the method, the seed, the
    digest. Raises UserError if that names no run or several, and if the run left no adapter.
    """
    finished = sorted(path.parent.name for path in Root(root).runs.glob("*/run.json"))
    matching = [name for name in finished if name.startswith(run) or f".{run}." in f"{name}."]
    if run in finished:
        matching = [run]
    if len(matching) != 1:
        some = ", ".join((matching or finished)[:5]) or "none"
        what = "several runs" if matching else "no finished run"
        raise UserError(f"merge: {what} of that name: '{run}'. There are {some}")
    folder = Root(root).run(matching[0])
    record = RunRecord.read(folder.record)
    if record.spec.is_base or record.spec.dataset is None or record.spec.data is None:
        raise UserError(f"{record.run_id}: nothing to merge: the run left no adapter")
    if record.spec.method.peft is not None:
        folder.require_artifact()
    splits = prepare(record.spec.dataset, record.spec.data, Root(root).data)
    base = base_of(record, folder, "merge")
    record = record.model_copy(update={"spec": record.spec.model_copy(update={"model": base})})
    from toolkit.training.merge import merge as merge_adapter

    runtime.quiet_libraries()
    return merge_adapter(record, folder, list(splits.validation))
