"""The `bakeoff` command: one file per family of commands, over one app."""

from experiments.cli.app import app, main

__all__ = ["app", "main"]
