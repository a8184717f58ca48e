"""One data set or several trained on together: which sources there are, and how many documents each gives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from toolkit.data.sources.open import Source, open_source
from toolkit.data.split import FILL_ORDER
from toolkit.specs import AnyFormat, DatasetSpec, DataSpec


def components(dataset: DatasetSpec, cache: Path) -> list[tuple[Source, float]]:
    """Return sources with their weights; a data set that is no mixture is the only source."""
    if not dataset.mixture:
        return [(open_source(dataset, cache), 1.0)]
    return [(open_source(component.dataset, cache), component.weight) for component in dataset.mixture]


def quotas(
    data: DataSpec, weighted: Sequence[tuple[DatasetSpec, float]], document_format: AnyFormat
) -> dict[str, dict[int, int]]:
    """Return split -> index of the data set -> documents.

    Data sets of another format than the mixture's are trained on only.
    """
    everyone = range(len(weighted))
    tested = [n for n in everyone if weighted[n][0].format == document_format]
    return {
        split: _shares(
            int(getattr(data, split)),
            {n: weighted[n][1] for n in (everyone if split == "train" else tested)},
        )
        for split in FILL_ORDER
    }


def _shares(total: int, weights: dict[int, float]) -> dict[int, int]:
    """Whole numbers that add up to the total, by largest remainder."""
    exact = {
        n: Fraction(weight) * total / sum(map(Fraction, weights.values())) for n, weight in weights.items()
    }
    shares = {n: int(share) for n, share in exact.items()}
    short = total - sum(shares.values())
    for n in sorted(exact, key=lambda n: (shares[n] - exact[n], n))[:short]:
        shares[n] += 1
    return shares
