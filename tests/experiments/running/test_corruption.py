"""A flipped byte under a finished study: made again, or refused in a line that names the file."""

from __future__ import annotations

import logging
import shutil

import pytest

from experiments.analysis.conclude import read
from tests.experiments.small import in_this_process, run
from toolkit.errors import UserError
from toolkit.models.artifact import load_run
from toolkit.records import RunRecord
from toolkit.records.folders import Root


def flip(path, place=-2):
    """Change one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.fixture
def lora(done, tmp_path):
    """A root of the test's own, its LoRA cell and that run's folder."""
    shutil.copytree(done[0], tmp_path / "root")
    cell = next(c for c in done[1].cells if c.method == "lora-r16")
    return tmp_path / "root", cell, Root(tmp_path / "root").run(cell.run_id)


def test_damaged_outcomes_and_statistics_are_made_again(lora, tiny_gpt2, caplog):
    """Both files equal what they were, to the byte, and the log names the first; no training is repeated."""
    root, cell, folder = lora
    outcomes, statistics = folder.outcomes(cell.eval_digest), folder.statistics(cell.eval_digest)
    whole, record = outcomes.read_bytes(), folder.record.read_bytes()
    measured = statistics.read_bytes()
    flip(outcomes, 30)
    flip(statistics, 30)
    with caplog.at_level(logging.WARNING):
        conclusions, _ = run(root, tiny_gpt2, "small", execute=in_this_process)
    assert f"{outcomes.name} has changed since it was written: it is made again" in caplog.text
    assert all(one.status == "finished" for one in conclusions.cells)
    assert outcomes.read_bytes() == whole
    assert statistics.read_bytes() == measured
    assert folder.record.read_bytes() == record


def test_a_damaged_record_of_a_run_is_refused_by_name(lora, tiny_gpt2):
    """A digit of it would be a number of the report: nothing runs, and the line names the file and remedy."""
    root, _, folder = lora
    flip(folder.record, folder.record.read_bytes().index(b'"train_seconds": ') + 17)
    with pytest.raises(UserError, match=r"run\.json: it has changed since it was written; delete "):
        run(root, tiny_gpt2, "small", execute=in_this_process)


def test_damaged_weights_are_not_loaded(lora):
    """One byte of the adapter."""
    _, _, folder = lora
    flip(next(folder.artifact.glob("*.safetensors")))
    with pytest.raises(UserError, match=r"adapter_model\.safetensors: it has changed since it was written"):
        load_run(RunRecord.read(folder.record), folder)


def test_damaged_conclusions_are_refused_until_the_study_is_concluded_again(lora, tiny_gpt2):
    """A report of them would hold a wrong digit; the same study again writes what they were."""
    root, _, _ = lora
    path = root / "results/small/comparisons.json"
    whole = path.read_bytes()
    flip(path, whole.index(b'"difference": ') + 16)
    with pytest.raises(
        UserError, match=r"comparisons\.json: it has changed since it was written; `bakeoff run`"
    ):
        read(root, "small")
    run(root, tiny_gpt2, "small", execute=in_this_process)
    assert path.read_bytes() == whole


def test_a_damaged_cache_of_the_data_is_prepared_again(lora, tiny_gpt2, caplog):
    """A letter of a document: the split is made anew, and every run stays as it is."""
    root, _, folder = lora
    record = folder.record.read_bytes()
    texts = next(Root(root).data.glob("corpus-*/texts.arrow"))
    whole = texts.read_bytes()
    flip(texts, len(whole) // 2)
    with caplog.at_level(logging.WARNING):
        run(root, tiny_gpt2, "small", execute=in_this_process)
    assert "texts.arrow has changed since it was written: its folder is made again" in caplog.text
    assert texts.read_bytes() == whole
    assert folder.record.read_bytes() == record
