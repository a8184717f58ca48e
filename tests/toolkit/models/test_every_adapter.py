"""Every adapter type of the installed peft, and every catalog entry, does what docs/methods.md says."""

from __future__ import annotations

import peft
import pytest

from tests.toolkit.models import every_adapter
from toolkit import config

SAID = every_adapter.rows_of(every_adapter.PAGE.read_text(encoding="utf-8"))
BASES = list(every_adapter.BASES)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A folder with both tiny bases."""
    folder = tmp_path_factory.mktemp("bases")
    every_adapter.make_bases(folder)
    return folder


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("kind", every_adapter.kinds())
def test_a_type_trains_saves_and_loads_or_is_refused_in_the_words_of_the_page(kind, base, bases, tmp_path):
    """Ten steps lower the validation loss and the reloaded logits are equal, or the page has the reason."""
    assert every_adapter.outcome(kind, bases / base, tmp_path) == SAID[kind][BASES.index(base)]


@pytest.mark.parametrize("name", [name for name in config.catalog("methods") if name != "base"])
def test_a_catalog_entry_fits_both_bases_as_the_page_says(name):
    """As many trainable parameters as the page names, or the same words of refusal."""
    shapes = every_adapter.real_shapes()
    assert tuple(every_adapter.fits(name, shapes[base]) for base in BASES) == SAID[name]


def test_the_page_is_of_the_installed_peft():
    """Its version stands there, and no type or entry that it names has gone."""
    assert f"with peft {peft.__version__};" in every_adapter.PAGE.read_text(encoding="utf-8")
    known = {*every_adapter.kinds(), *config.catalog("methods"), "type", "entry", "---"}
    assert set(SAID) <= known
    assert set(every_adapter.OPTIONS) <= set(every_adapter.kinds())


@pytest.mark.parametrize("name", ["lora-attention", "lora-mlp"])
def test_where_lora_sits_is_compared_at_equal_parameters(name):
    """Within 2 % of lora-r16's: all 16 x 12,288 a layer of GPT-2, attention 43 x 4,608, MLP 26 x 7,680."""
    for wanted, found in zip(SAID["lora-r16"], SAID[name], strict=True):
        assert abs(int(found.replace(",", "")) / int(wanted.replace(",", "")) - 1) < 0.02
    assert SAID["lora-r16"][0] == f"{2 * 16 * 12_288:,}"
