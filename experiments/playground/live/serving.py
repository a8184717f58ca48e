"""Find a study's runs, load them, and serve the page until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.design.study import name_of
from experiments.sharing.trust import base_of
from toolkit.errors import UserError
from toolkit.records import Conclusions, RunRecord
from toolkit.records.folders import Root, RunFolder
from toolkit.specs import Format

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    study: str,
    root: Path,
    *,
    host: str,
    port: int,
    password: str | None,
    new_tokens: int,
    methods: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Load the study's first runs and serve them. Raises UserError before anything is loaded if it can't."""
    runs, document_format = study_runs(root, name_of(study), methods)
    if new_tokens < 1:
        raise UserError(f"playground: --new-tokens is at least 1, got {new_tokens}")
    listener = _listener(host, port)
    if host not in LOOPBACK and not password:
        say(f"warning: {host} may be reached from other machines, and no password is set")

    import uvicorn

    from experiments.playground.live.arms import load
    from experiments.playground.live.server import Limits, Playground, application
    from toolkit import runtime

    runtime.quiet_libraries()
    arms = load(runs, say)
    report = Root(root).results(name_of(study)) / "report" / "report.html"
    playground = Playground(
        arms,
        document_format,
        Limits(new_tokens=new_tokens),
        name_of(study),
        report if report.is_file() else None,
    )
    hosts = [*LOOPBACK, host] if host in LOOPBACK else ["*"]
    at = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    say(f"Playground: http://{shown}:{at}  ({arms.in_memory} models in memory; Ctrl-C stops it)")
    config = uvicorn.Config(
        application(playground, hosts, password),
        log_level="warning",
        timeout_keep_alive=5,
        limit_concurrency=64,
        h11_max_incomplete_event_size=65_536,
    )
    uvicorn.Server(config).run(sockets=[listener])


def study_runs(
    root: Path, study: str, methods: Sequence[str]
) -> tuple[dict[str, tuple[RunRecord, RunFolder]], Format | None]:
    """Name -> the first finished run of every method, of the study's first condition, and the format."""
    path = Root(root).results(study) / "comparisons.json"
    if not path.is_file():
        raise UserError(f"no results of study '{study}' in {root}; `bakeoff run {study}` makes them")
    cells = [c for c in Conclusions.read(path).cells if c.status == "finished" and c.phase != "tune"]
    if not cells:
        raise UserError(f"playground: '{study}' has no finished run; `bakeoff run {study}` first")
    runs: dict[str, tuple[RunRecord, RunFolder]] = {}
    document_format = None
    for cell in cells:
        wanted = not methods or cell.method in methods or cell.phase == "base"
        if cell.condition == cells[0].condition and wanted and cell.method not in runs:
            folder = Root(root).run(cell.run_id)
            record = RunRecord.read(folder.record)
            if not record.spec.is_base:
                folder.require_artifact()
            if record.spec.dataset is not None:
                given = record.spec.dataset.format
                document_format = given if isinstance(given, Format) else None  # else a prompt as it is
            base = base_of(record, folder, "playground")
            spec = record.spec.model_copy(update={"model": base})
            runs[cell.method] = (record.model_copy(update={"spec": spec}), folder)
    if missing := [name for name in methods if name not in runs]:
        raise UserError(f"playground: '{missing[0]}' has no finished run. Finished: {', '.join(runs)}")
    return runs, document_format


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        raise UserError(
            f"playground: cannot listen on {host}, port {port}: {reason}; choose another --port"
        ) from error
    return listener
