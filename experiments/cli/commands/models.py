"""The commands that use trained models: `bakeoff generate`, `playground` and `merge`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from experiments.cli.options import Json, Root
from experiments.cli.output import err, out, plain, print_json, print_rows
from toolkit.errors import UserError

PASSWORD = "BAKEOFF_PASSWORD"  # noqa: S105 - the variable's name


def generate(
    *titles: str,
    study: str = "quickstart",
    temperature: Annotated[tuple[float, ...], Parameter(consume_multiple=True)] = (0.8,),
    top_p: float = 0.9,
    max_new_tokens: int = 300,
    seed: int = 0,
    trust_remote_code: Annotated[bool, Parameter(negative="")] = False,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Write recipes for titles: the untouched base and every method of a study, side by side.

    In a study of conversations the titles are questions, and the models answer through its chat template.

    Parameters
    ----------
    titles
        One or more dishes, or questions: `"Banana Bread" "Lemon Cake"`.
    study
        A study that has been run; its first seed's models write.
    temperature
        One or several: `--temperature 0.3 0.7 1.0 1.5`; 0 is greedy.
    top_p
        Nucleus sampling's share.
    max_new_tokens
        Most tokens of each text.
    seed
        Seed of the draws.
    trust_remote_code
        Load a base whose record asks for its code or for a pickle checkpoint, without a catalog entry that
        allows it.
    """
    from experiments.playground.side_by_side import side_by_side

    if not titles:
        raise UserError('generate: give at least one title, e.g. bakeoff generate "Banana Bread"')
    written = side_by_side(
        titles,
        study=study,
        temperatures=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        seed=seed,
        root=root,
        trust_remote_code=trust_remote_code,
        say=lambda text: err.print(text, style="dim"),
    )
    if as_json:
        print_json(written)
        return 0
    for title in titles:
        for degree in temperature:
            table = Table(title=f"{title} · temperature {degree:g}", show_lines=True, title_justify="left")
            here = [row for row in written if row["title"] == title and row["temperature"] == degree]
            for row in here:
                table.add_column(str(row["method"]), ratio=1, overflow="fold")
            table.add_row(*(plain(f"{row['text']}\n\n({row['ended']})") for row in here))
            out.print(table)
    return 0


def merge(run: str, *, root: Root = Path(), as_json: Json = False) -> int:
    """Merge a run's adapter into its base, and compare the two: logits, perplexity, latency.

    Parameters
    ----------
    run
        A run's name (a folder of `runs/`), or enough of it: `lora-r16` where only one run has that method.
    """
    from experiments.sharing.merge import merge as merge_run

    merged = merge_run(run, root)
    if as_json:
        print_json(merged.model_dump(mode="json"))
        return 0
    print_rows(
        f"{merged.run_id}: largest difference of logits {merged.logit_difference:.2g}",
        [
            {
                "side": name,
                "perplexity": f"{side.perplexity:.5f}",
                "forward": f"{side.forward_seconds * 1e3:.0f} ms",
                "a new token": f"{side.seconds_per_new_token * 1e3:.1f} ms",
            }
            for name, side in (("adapter", merged.adapter), ("merged", merged.merged))
        ],
    )
    return 0


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
        import starlette  # noqa: F401 - tried here, so that a missing package is one line
        import uvicorn  # noqa: F401 - the same
    except ImportError as error:
        raise UserError(
            "the playground needs two more packages. "
            "Run `pip install 'bakeoff[playground]'` in bakeoff's environment"
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
        say=lambda text: err.print(text),
    )
    return 0
