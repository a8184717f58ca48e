"""What leaves the machine names no user, no machine and no folder of it: export, report, card, artifact."""

from __future__ import annotations

import getpass
import socket
import zipfile
from pathlib import Path

import pytest

from experiments.sharing import model_card
from experiments.sharing.export import export
from experiments.sharing.hub import _content
from experiments.sharing.importing import import_archive
from experiments.sharing.model_card import CARD
from figures.report.page import build
from toolkit.records import EvaluationRecord, RunRecord
from toolkit.records.folders import Root, without_paths, without_paths_in


@pytest.fixture(scope="module")
def telling(done):
    """Texts that give this machine away: root, the base's folder, home; user and host unless very short."""
    root, conclusions, _ = done
    record = RunRecord.read(Root(root).run(conclusions.cells[0].run_id).record)
    assert record.spec.model.folder is not None
    texts = {str(root), str(Path(record.spec.model.folder).parent), str(Path.cwd()), str(Path.home())}
    names = {getpass.getuser(), socket.gethostname()}
    return {text.encode() for text in {*texts, *(name for name in names if len(name) > 4)}}


def test_paths_are_cut_by_hand(tmp_path):
    """Under the root; elsewhere; inside a sentence; what only looks like one stays."""
    root = tmp_path / "work"
    assert without_paths(f"{root}/models/tiny", root) == "models/tiny"
    assert without_paths("/mnt/disk/ann/tiny", root) == "tiny"
    assert without_paths("cannot read '/mnt/ann/a.json': no", root) == "cannot read 'a.json': no"
    assert (
        without_paths("https://example.com/a/b, 1/2 cup, </s>", root)
        == "https://example.com/a/b, 1/2 cup, </s>"
    )
    value = {"folder": "/mnt/ann/tiny", "marker": "/a/b:", "title": f"{root}/x", "n": 1}
    assert without_paths_in(value, root) == {**value, "folder": "tiny"}
    arm = {"adapter": "/mnt/ann/ours", "gguf": "/mnt/ann/ours.gguf", "trained_by": "us"}
    arm["trained_on"] = "/mnt/ann/ours.jsonl"
    cut = {"adapter": "ours", "gguf": "ours.gguf", "trained_by": "us", "trained_on": "ours.jsonl"}
    assert without_paths_in(arm, root) == cut
    base = {"gguf": ["models/tiny.gguf"]}  # of a base model: names within its folder or package
    assert without_paths_in(base, root) == base


def test_an_export_names_no_place_of_this_machine(done, telling, tmp_path):
    """Every file of the archive; the records on disk do, so that there is something to cut."""
    root, conclusions, _ = done
    export("small", (), root, tmp_path / "small.zip")
    record = Root(root).run(conclusions.cells[0].run_id).record
    assert any(text in record.read_bytes() for text in telling)
    with zipfile.ZipFile(tmp_path / "small.zip") as packed:
        names = packed.namelist()
        assert len(names) > 14
        for name in names:
            content = packed.read(name)
            assert not [text for text in telling if text in content], name


def test_an_export_is_known_where_it_came_from(done, tmp_path):
    """Imported into its own root: nothing is added, nothing differs."""
    root, _, _ = done
    export("small", (), root, tmp_path / "small.zip")
    imported = import_archive(tmp_path / "small.zip", root)
    assert len(imported.here_already) == 3
    assert imported.added == imported.kept_ours == imported.completed == ()


def test_the_report_names_no_place_of_this_machine(done, telling):
    """Page, tables and the CSV behind figures; PDF and PNG hold no path as plain text."""
    root, _, _ = done
    page = build(Root(root).results("small"), root)
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert not [text for text in telling if text in path.read_bytes()], path.name


def test_a_pushed_model_names_no_place_of_this_machine(done, telling):
    """The card, and every file of the artifact as it would be uploaded; peft's own card is not."""
    root, conclusions, _ = done
    for cell in conclusions.cells:
        folder = Root(root).run(cell.run_id)
        if cell.is_base or cell.eval_digest is None:
            continue
        evaluation = EvaluationRecord.read(folder.evaluation(cell.eval_digest))
        card = model_card.card(evaluation, folder.artifact, "me/cook").encode()
        assert not [text for text in telling if text in card]
        files = [path for path in folder.artifact.rglob("*") if path.is_file() and path.name != CARD]
        assert len(files) > 3
        for path in files:
            content = _content(path, evaluation.run)
            content = content.read_bytes() if isinstance(content, Path) else content
            assert not [text for text in telling if text in content], path.name
