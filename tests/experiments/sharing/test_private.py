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
from experiments.sharing.incoming.importing import import_archive
from experiments.sharing.model_card import CARD
from figures.report.page import build
from tests.experiments.small import run
from toolkit.records import EvaluationRecord, RunRecord
from toolkit.records.folders import Root, without_paths, without_paths_in

SECRETS = {
    "HF_TOKEN": "hf_secretsecretsecretsecretsecretse",
    "WANDB_API_KEY": "wandbsecretwandbsecretwandbsecretwandbse",
    "MLFLOW_TRACKING_PASSWORD": "mlflow-secret-password",
    "USER": "user-anna-of-the-tests",
    "LOGNAME": "user-anna-of-the-tests",
    "HOSTNAME": "host-of-the-tests",
}
"""Set while a study of this module runs: tokens, the user that Python reports, the shell's host name."""


@pytest.fixture(scope="module")
def done(tmp_path_factory, tiny_gpt2):
    """A study that ran in an environment full of secrets, its conclusions, and what was said."""
    with pytest.MonkeyPatch.context() as patch:
        for name, secret in SECRETS.items():
            patch.setenv(name, secret)
        root = tmp_path_factory.mktemp("secret")
        yield (root, *run(root, tiny_gpt2, "small"))


def test_the_records_on_disk_hold_no_secret(done):
    """Every file under the root: paths of this machine are among them, tokens and user are not."""
    root, _, said = done
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) > 40
    for path in files:
        assert not [s for s in SECRETS.values() if s.encode() in path.read_bytes()], path
    assert not [s for s in SECRETS.values() if s in said]
    assert getpass.getuser() == SECRETS["USER"]


@pytest.fixture(scope="module")
def telling(done):
    """Texts that give this machine away: root, the base's folder, home, secrets, user and host."""
    root, conclusions, _ = done
    record = RunRecord.read(Root(root).run(conclusions.cells[0].run_id).record)
    assert record.spec.model.folder is not None
    texts = {str(root), str(Path(record.spec.model.folder).parent), str(Path.cwd()), str(Path.home())}
    names = {getpass.getuser(), socket.gethostname()}
    return {text.encode() for text in {*texts, *SECRETS.values(), *(n for n in names if len(n) > 4)}}


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
    assert without_paths_in({"hub": "acme/work"}, Path("/work")) == {"hub": "acme/work"}
    assert without_paths("in /work/a.csv", Path("/work")) == "in a.csv"
    value = {"folder": "/mnt/ann/tiny", "marker": "/a/b:", "title": f"{root}/x", "n": 1}
    assert without_paths_in(value, root) == {**value, "folder": "tiny"}
    arm = {"adapter": "/mnt/ann/ours", "gguf": "/mnt/ann/ours.gguf", "trained_by": "us"}
    arm["trained_on"] = "/mnt/ann/ours.jsonl"
    cut = {"adapter": "ours", "gguf": "ours.gguf", "trained_by": "us", "trained_on": "ours.jsonl"}
    assert without_paths_in(arm, root) == cut
    chat = {
        "tokenizer": "/mnt/ann/tok",
        "template": "/mnt/ann/t.jinja",
        "folder": "/Volumes/Ann Lee/my base/tiny",
    }
    assert without_paths_in(chat, root) == {"tokenizer": "tok", "template": "t.jinja", "folder": "tiny"}
    assert without_paths_in({"folder": f"{root}/my models/tiny"}, root) == {"folder": "my models/tiny"}
    hub = {
        "tokenizer": "HuggingFaceTB/SmolLM2-135M",
        "template": "{{ x }}/a",
        "files": ["C:\\\\Ann Lee\\\\a.csv"],
    }
    assert without_paths_in(hub, root) == {**hub, "files": ["a.csv"]}
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
    page = build(Root(root).results("small").path, root)
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
