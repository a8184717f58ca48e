"""The `bakeoff` command: one file per family of commands, over one app.

Every command imports what it needs when it runs, so that help is quick; `output` prints tables, JSON and
verdicts.
"""

from experiments.cli.app import app, main

__all__ = ["app", "main"]
