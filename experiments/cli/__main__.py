"""`python -m experiments.cli` is the `bakeoff` command."""

from experiments.cli.app import main

main()
