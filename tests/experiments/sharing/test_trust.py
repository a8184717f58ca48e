"""A base in another folder than when the run was trained: by the catalog, if its files are the same."""

from __future__ import annotations

import pytest

from experiments.sharing.trust import base_of
from toolkit.errors import UserError
from toolkit.models import locate
from toolkit.records import RunRecord
from toolkit.records.folders import Root


@pytest.fixture
def moved(done):
    """A run whose base was in a folder that is gone, and the run's folder."""
    cell = next(cell for cell in done[1].cells if cell.method == "full")
    folder = Root(done[0]).run(cell.run_id)
    record = RunRecord.read(folder.record)
    model = record.spec.model.model_copy(update={"folder": "/gone/away"})
    return record.model_copy(update={"spec": record.spec.model_copy(update={"model": model})}), folder


def test_a_folder_that_is_gone_is_named_with_the_remedy(moved):
    """Not only that no config.json is there."""
    with pytest.raises(UserError, match=r"generate: the base of .* was in '/gone/away', .*catalog/models"):
        base_of(*moved, "generate")


def test_the_catalog_gives_its_new_place(moved, tiny_gpt2, tiny_llama, tmp_path, monkeypatch):
    """The same files, by their hash; another model under the same name is not taken."""
    monkeypatch.setenv("BAKEOFF_CATALOG", str(tmp_path))
    record, _ = moved
    assert record.spec.model.sha256 == locate.revision(
        record.spec.model.model_copy(update={"folder": str(tiny_gpt2)})
    )
    (tmp_path / "models.yaml").write_text(f"tiny: {{folder: '{tiny_gpt2}'}}")
    assert base_of(*moved, "generate").folder == str(tiny_gpt2)
    (tmp_path / "models.yaml").write_text(f"tiny: {{folder: '{tiny_llama}'}}")
    with pytest.raises(UserError, match="was in '/gone/away'"):
        base_of(*moved, "generate")
