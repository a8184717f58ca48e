"""One data set or several trained on together: which sources there are, and how many documents each gives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from toolkit.data.sources.open import Source, open_source
from toolkit.data.split import PARTS
from toolkit.errors import UserError
from toolkit.specs import DatasetSpec, DataSpec, Format


def components(dataset: DatasetSpec, form: Format, cache: Path) -> list[tuple[Source, float]]:
    """Sources and their weights; a data set that is no mixture is the only source.

    A component may have a format of its own (another task); it is looked up in the catalog.
    """
    if not dataset.mixture:
        return [(open_source(dataset, form, cache), 1.0)]
    from toolkit import config

    found: list[tuple[Source, float]] = []
    for component in dataset.mixture:
        inner = component.dataset
        one = config.dataset(inner) if isinstance(inner, str) else inner
        if one.mixture:
            raise UserError(
                f"data set '{dataset.name}': '{one.name}' is a mixture itself: name its components"
            )
        own = form if one.format == form.name else config.form(one.format)
        found.append((open_source(one, own, cache), component.weight))
    if all(source.form.name != form.name for source, _ in found):
        raise UserError(
            f"data set '{dataset.name}': no component is of its format '{form.name}': nothing to test on"
        )
    return found


def quotas(data: DataSpec, parts: Sequence[tuple[Source, float]], form: Format) -> dict[str, dict[int, int]]:
    """Part -> source -> documents. Components of another format than the mixture's are trained on only."""
    own = [n for n, (source, _) in enumerate(parts) if source.form.name == form.name]
    everyone = range(len(parts))
    weights = [weight for _, weight in parts]
    return {
        part: _shares(
            int(getattr(data, part)), {n: weights[n] for n in (everyone if part == "train" else own)}
        )
        for part in PARTS
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
