"""`python -m experiments.bench.calibration`: simulate studies and write docs/calibration.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.bench.calibration.page import SECTIONS, page
from toolkit.records.files import write_text


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--repetitions", type=int, default=400, help="simulated studies per row")
    parser.add_argument("--out", type=Path, default=Path("docs/calibration.md"), help="the page's path")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=(), help="sections to simulate anew")
    settings = parser.parse_args()
    before = settings.out.read_text(encoding="utf-8") if settings.only else ""
    write_text(settings.out, page(settings.repetitions, print, only=settings.only, before=before))


if __name__ == "__main__":
    main()
