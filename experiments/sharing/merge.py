"""`bakeoff merge`: which run is meant, and the texts that adapter and merged model are compared on."""

from __future__ import annotations

from pathlib import Path

from toolkit import runtime
from toolkit.data.prepare import prepare
from toolkit.errors import UserError
from toolkit.records import MergeRecord, RunRecord
from toolkit.records.folders import Root


def merge(run: str, root: Path) -> MergeRecord:
    """Merge the run that ``run`` names, wholly or in part, on the validation part it was trained with.

    A part is the start of the name or what stands between two dots: the method, the seed, the digest.
    """
    found = sorted(path.parent.name for path in Root(root).runs.glob("*/run.json"))
    matching = [name for name in found if name.startswith(run) or f".{run}." in f"{name}."]
    if run in found:
        matching = [run]
    if len(matching) != 1:
        some = ", ".join((matching or found)[:5]) or "none"
        what = "several runs" if matching else "no finished run"
        raise UserError(f"merge: {what} of that name: '{run}'. There are {some}")
    folder = Root(root).run(matching[0])
    record = RunRecord.read(folder.record)
    if record.spec.is_base or record.spec.dataset is None or record.spec.data is None:
        raise UserError(f"{record.run_id}: nothing to merge: the run left no adapter")
    if record.spec.method.peft is not None:
        folder.require_artifact()
    parts = prepare(
        record.spec.dataset,
        record.spec.data,
        Root(root).data,
    )
    from toolkit.training.merge import merge as merge_adapter

    runtime.quiet_libraries()
    return merge_adapter(record, folder, list(parts.validation))
