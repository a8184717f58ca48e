"""`python -m experiments.publishing`: keep studies, draw them again, and write the pages about them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.publishing import pages
from experiments.publishing.kept import RESULTS, keep, kept
from experiments.publishing.rebuild import rebuild
from toolkit.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep the named studies if a root is given; draw them, or all that are kept, again; write the pages.

    Returns 2 for what a user can fix, with one line about it.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("studies", nargs="*", help="names; default: all that are kept")
    parser.add_argument(
        "--root", type=Path, help="folder with runs/ and results/ in which the studies were run: keep them"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the kept studies")
    parser.add_argument("--docs", type=Path, default=pages.DOCS, help="folder of the pages")
    settings = parser.parse_args(arguments)
    if settings.root and not settings.studies:
        parser.error("--root keeps the studies that are named: name one")
    try:
        for study in settings.studies if settings.root else ():
            path = keep(study, (), settings.root, settings.results)
            print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
        for study in settings.studies or kept(settings.results):
            done = rebuild(study, settings.results)
            print(f"{done.folder}: {done.values} values and {done.verdicts} verdicts checked", flush=True)
        for path in pages.write(settings.results, settings.docs):
            print(path, flush=True)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
