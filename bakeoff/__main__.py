"""`python -m bakeoff` and the console command: the same as `experiments.cli`, with bakeoff's own packages."""

from __future__ import annotations

from bakeoff.own_packages import use_own_packages


def main() -> None:
    """Run the `bakeoff` command."""
    use_own_packages()
    from experiments.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
