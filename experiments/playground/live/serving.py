"""Find a study's runs, load them, and serve the page until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.analysis.conclude import read
from experiments.design.study import name_of
from experiments.playground.runs import first_runs, format_of, loadable
from toolkit.errors import UserError
from toolkit.records.folders import Root

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
    conclusions = read(root, name_of(study))
    runs = loadable(first_runs(conclusions, "playground", methods, with_base=True), root, "playground")
    document_format = format_of(record for record, _ in runs.values())
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
    report = Root(root).results(conclusions.study).report / "report.html"
    playground = Playground(
        arms,
        document_format,
        Limits(new_tokens=new_tokens),
        conclusions.study,
        report if report.is_file() else None,
    )
    hosts = [*LOOPBACK, "[::1]"] if host in LOOPBACK else ["*"]  # some read an address with its brackets
    at = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    say(f"Playground: http://{shown}:{at}  ({arms.in_memory} models in memory; Ctrl-C stops it)")
    config = uvicorn.Config(
        application(playground, hosts, password),
        log_level="warning",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,  # Ctrl-C waits no longer for texts that are being written
        limit_concurrency=64,
        h11_max_incomplete_event_size=65_536,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(64)  # who comes before the server runs waits, and is not turned away
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is at most 65535"
        raise UserError(
            f"playground: cannot listen on {host}, port {port}: {reason}; choose another --port"
        ) from error
    return listener
