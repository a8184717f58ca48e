"""Which base model a recorded run may load here: a record is data, and gives no permission to run code."""

from __future__ import annotations

from pathlib import Path

from toolkit import config
from toolkit.errors import UserError
from toolkit.models import locate
from toolkit.records import Provenance, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import ModelSpec


def base_of(
    record: RunRecord, folder: RunFolder, command: str, *, trust_remote_code: bool | None = None
) -> ModelSpec:
    """Return the base model that ``command`` may load for a recorded run.

    The base of an imported run is taken from this machine's catalog, whatever path its record names. Code
    and pickle checkpoints of a base are loaded only if this machine's catalog allows it for that base, or if
    ``trust_remote_code`` is given on the command line; None for a command without that option. Raises
    UserError otherwise.
    """
    recorded = record.spec.model
    known = config.model(recorded.name) if recorded.name in config.catalog("models") else None
    same = known is not None and (_source(known) == _source(recorded) or _same_files(known, recorded))
    if folder.imported.is_file() and not same:
        archive = Provenance.read(folder.imported).archive
        raise UserError(
            f"{command}: run {record.run_id} was imported from {archive}, and its base '{recorded.name}' is "
            "not in this machine's catalog of models. Add it to the catalog to use it here"
        )
    if recorded.folder and not same and not Path(recorded.folder).expanduser().is_dir():
        raise UserError(
            f"{command}: the base of run {record.run_id} was in '{recorded.folder}', which is no folder any "
            f"more. Put it back, or add `{recorded.name}: {{folder: …}}` with its new place, and the same "
            "files, to the catalog of models (catalog/models.yaml)"
        )
    allowed = recorded if known is None or not same else known
    for permission in ("trust_remote_code", "allow_pickle"):
        by_catalog = same and known is not None and getattr(known, permission)
        if getattr(recorded, permission) and not by_catalog and not trust_remote_code:
            raise UserError(
                f"{command}: the record of {record.run_id} asks for `{permission}: true` for its base "
                f"'{recorded.name}', which a record may not decide. If you trust that base, add it to the "
                f"catalog of models{'' if trust_remote_code is None else ', or give --trust-remote-code'}"
            )
    return allowed


def _same_files(known: ModelSpec, recorded: ModelSpec) -> bool:
    """Whether a base in a folder has the files, by their hash, that the run's base had in another one."""
    if not (known.folder and recorded.folder and recorded.sha256):
        return False
    folder = Path(known.folder).expanduser()
    return folder.is_dir() and locate.revision(known) == recorded.sha256


def _source(model: ModelSpec) -> tuple[object, ...]:
    """Where a base comes from: two specifications with the same one load the same files."""
    return model.hub, model.revision, model.folder, model.package, model.gguf
