"""`bakeoff playground`: a study's models in a browser."""

from __future__ import annotations

import os
from pathlib import Path

from experiments.cli.options import Root
from experiments.cli.output import err
from toolkit.errors import UserError

PASSWORD = "BAKEOFF_PASSWORD"  # noqa: S105 - the variable's name


def playground(
    study: str,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    new_tokens: int = 512,
    methods: list[str] | None = None,
    root: Root = Path(),
) -> int:
    """Open a page where a study's models write side by side, with structure checks as they write.

    It answers on this machine only, unless --host says otherwise. Stop it with Ctrl-C.

    Parameters
    ----------
    study
        A study with finished runs whose weights are here.
    host
        Address to listen on; `0.0.0.0` for all of this machine's.
    port
        Port to listen on; 0 for a free one.
    password
        Ask for this password (any user name); better given as BAKEOFF_PASSWORD, which no process list shows.
    new_tokens
        Most tokens that a visitor may ask each model for.
    methods
        Only these methods (and `base`); all of the study when not given.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(
            "the playground needs two more packages: pip install 'bakeoff[playground]'"
        ) from error
    from experiments.playground.live.serving import serve

    secret = password or os.environ.get(PASSWORD)
    serve(
        study,
        root,
        host=host,
        port=port,
        password=secret,
        new_tokens=new_tokens,
        methods=methods or [],
        say=lambda text: err.print(text, highlight=False, soft_wrap=True),
    )
    return 0
