"""The `bakeoff` command. Each command imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

import errno
import os
import sys
from importlib import metadata

from cyclopts import App, CycloptsError, MissingArgumentError

from experiments.cli.commands.bench import bench
from experiments.cli.commands.canary import canary
from experiments.cli.commands.judging import judge
from experiments.cli.commands.listing import catalog
from experiments.cli.commands.models import generate, merge, playground
from experiments.cli.commands.results import audit, clean, recommend, report
from experiments.cli.commands.sharing import export_, import_, push, verify
from experiments.cli.commands.studies import data, new, plan, run
from experiments.cli.commands.tasting import taste
from experiments.cli.output import err, out
from toolkit.catalog import FOLDERS
from toolkit.errors import UserError
from toolkit.runtime import wait_passively


def version() -> str:
    """The installed version, or a word if bakeoff runs from a source folder that is not installed."""
    try:
        return metadata.version("bakeoff")
    except metadata.PackageNotFoundError:
        return "unknown: not installed"


STREAM_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO)
"""Errors of writing that name no file: standard output is closed, full or gone."""

app = App(
    name="bakeoff",
    help="Full fine-tuning or LoRA? Compare fine-tuning methods for causal language models, with evidence."
    "\n\n`--catalog DIR`, with any command: a folder with your own models.yaml, datasets.yaml, methods.yaml "
    "or formats.yaml (`catalog/` in the working folder unless given).",
    help_format="markdown",
    version=version,
    suppress_keyboard_interrupt=False,  # main() reports what is kept
)
COMMANDS = (
    new, run, report, plan, audit, catalog, data, generate, judge, merge, playground, push, recommend, taste,
    verify, canary, clean,
)  # fmt: skip
for command in COMMANDS:
    app.command(command)
app.command(export_, name="export")
app.command(import_, name="import")
app.command(bench)


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit. A UserError is one line and exit code 2; Ctrl-C reports what is kept."""
    wait_passively(os.environ)
    _open_streams()
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = err.width = 140  # rich's 80 columns would fold every table that goes to a file
    try:
        code = app(
            _with_catalog(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except (UserError, CycloptsError) as error:
        err.print(f"bakeoff: {' '.join(_in_words(error).split())}")
        code = 2
    except KeyboardInterrupt:
        err.print("stopped. Finished runs and checkpoints are kept; the same command continues from there.")
        code = 130
    except OSError as error:
        if error.filename is not None or error.errno not in STREAM_ERRORS:
            raise
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - nothing more is printed
        if error.errno != errno.EPIPE:  # a reader such as `head` that has read enough is no error
            err.print(f"bakeoff: cannot write to standard output: {error.strerror}")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _in_words(error: Exception) -> str:
    """The error as one reads it; a missing positional argument by the name that the help gives it."""
    if not isinstance(error, MissingArgumentError):
        return str(error)
    argument = error.argument
    if argument is None or argument.index is None or not error.command_chain:
        return str(error)
    command, name = " ".join(error.command_chain), argument.name.removeprefix("--").upper()
    return f"{command}: {name} is missing: see `bakeoff {command} --help`"


def _with_catalog(arguments: list[str] | None) -> list[str]:
    """Take `--catalog DIR` out of the arguments, wherever it is, for this process and those it starts."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    rest: list[str] = []
    folders: list[str] = []
    while given:
        argument = given.pop(0)
        if argument == "--catalog" and not given:
            raise UserError("--catalog: expected a folder")
        if argument == "--catalog":
            folders.append(given.pop(0))
        elif argument.startswith("--catalog="):
            folders.append(argument.removeprefix("--catalog="))
        else:
            rest.append(argument)
    if folders:
        os.environ[FOLDERS] = os.pathsep.join(folders)
    return rest


def _open_streams() -> None:
    """Make both streams writable: a character that their encoding lacks is escaped, a closed one is empty."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the one who started the command
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
