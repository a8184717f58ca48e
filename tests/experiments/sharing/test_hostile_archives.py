"""An archive made by a stranger: nothing of it runs, nothing lands elsewhere, and each answer is one line."""

from __future__ import annotations

import json
import tracemalloc
import zipfile

import pytest

from experiments.cli import main
from experiments.playground.live.serving import serve
from experiments.playground.side_by_side import side_by_side
from experiments.sharing.archive import OF_RESULTS
from experiments.sharing.export import export
from experiments.sharing.incoming.importing import import_archive
from tests.experiments.sharing.forging import again, listed
from toolkit.errors import UserError
from toolkit.records import Conclusions, RunRecord, hashes
from toolkit.specs import ModelSpec

HOSTILE = [
    "../evil.json",
    "runs/../../evil",
    "/etc/evil",
    "runs/x/artifact/model.safetensors",
    "runs/x/imported.json",
    "results/other/comparisons.json",
    "results/small/model/config.json",
    "results/small/report/report.html",
    "runs\\x\\run.json",
    "results/small/../../evil",
    "runs/./run.json",
]


@pytest.fixture(scope="module")
def packed(done, tmp_path_factory):
    """The exported study."""
    return export("small", (), done[0], tmp_path_factory.mktemp("export") / "small.zip").file


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_not_a_record_is_refused_and_nothing_is_written(packed, tmp_path, name):
    """Even with a manifest that agrees: one line with the name, and no root folder."""
    evil = again(packed, tmp_path / "evil.zip", lambda entries: listed({**entries, name: b"x"}))
    with pytest.raises(UserError, match="nothing was imported") as refusal:
        import_archive(evil, tmp_path / "root")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "root").exists()


def test_a_file_without_a_name_and_a_name_of_thousands_of_bytes_are_one_short_line(packed, tmp_path):
    """Both found by fuzzing: a byte of a name's length changed in the directory, or before the file."""
    nameless, long = tmp_path / "nameless.zip", tmp_path / "long.zip"
    with zipfile.ZipFile(nameless, "w") as file:
        file.writestr(zipfile.ZipInfo(""), "x")
    content = bytearray(packed.read_bytes())
    content[27] = 7  # the high byte of the first name's length
    long.write_bytes(content)
    for file, words in ((nameless, "is not a plain file"), (long, "is damaged, or not a file of")):
        with pytest.raises(UserError, match=words) as refusal:
            import_archive(file, tmp_path / "root")
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 600


def test_a_zip_bomb_a_link_and_a_repeated_name_are_refused_before_reading(packed, tmp_path):
    """20 MB of zeros in 20 kB, a symbolic link, one name twice, a named pipe as the archive."""
    bomb, link, twice = (tmp_path / f"{name}.zip" for name in ("bomb", "link", "twice"))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("manifest.json", b"0" * 20_000_000)
    with zipfile.ZipFile(link, "w") as file:
        entry = zipfile.ZipInfo("runs/x/run.json")
        entry.external_attr = 0o120777 << 16
        file.writestr(entry, "/etc/passwd")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(twice, "w") as file:
        file.writestr("manifest.json", "{}")
        file.writestr("manifest.json", "{}")
    (tmp_path / "folder.zip").mkdir()
    texts = {
        "bomb": "unpacks to 20,000,000 bytes",
        "link": "is not a plain file",
        "twice": "two files of one name",
        "folder": "not a file",
    }
    for name, text in texts.items():
        with pytest.raises(UserError, match=text):
            import_archive(tmp_path / f"{name}.zip", tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_file_that_holds_more_than_it_states_is_not_unpacked_whole(tmp_path):
    """300 MB of zeros, of which the archive states 100 bytes: one line, and no 300 MB of memory."""
    bomb, other = tmp_path / "bomb.zip", tmp_path / "other.zip"
    for file, method in ((bomb, zipfile.ZIP_DEFLATED), (other, zipfile.ZIP_BZIP2)):
        with zipfile.ZipFile(file, "w", method) as packed_zeros:
            packed_zeros.writestr("manifest.json", b"0" * 300_000_000)
        stated = (300_000_000).to_bytes(4, "little")
        file.write_bytes(file.read_bytes().replace(stated, (100).to_bytes(4, "little")))
    tracemalloc.start()
    for file, words in ((bomb, "is damaged, or not a file of"), (other, "is packed in another way")):
        with pytest.raises(UserError, match=words):
            import_archive(file, tmp_path / "root")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_conclusions_name_runs_of_their_archive_alone(packed, tmp_path):
    """A run's id is its folder: one that leads elsewhere, and one that is not in the archive."""
    for wrong in ("../../elsewhere/runs/x", "another.full.s0-0123456789ab"):

        def forged(entries, wrong=wrong):
            name = "results/small/comparisons.json"
            text = json.loads(entries[name])
            text["cells"][0]["run_id"] = wrong
            return listed({**entries, name: json.dumps(text).encode()})

        evil = again(packed, tmp_path / "evil.zip", forged)
        with pytest.raises(UserError, match="names a run that is not here"):
            import_archive(evil, tmp_path / "root")
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "manifest",
    [b"[" * 100_000, b"null", b'{"format": 3}', b"\xff\xfe", b'{"format": "bakeoff-export", "version": 99}'],
)
def test_a_damaged_manifest_is_one_line(tmp_path, manifest):
    """Nested 100,000 deep, null, of other types, not UTF-8, incomplete."""
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("manifest.json", manifest)
    with pytest.raises(UserError, match="is not a file of `bakeoff export`") as refusal:
        import_archive(tmp_path / "evil.zip", tmp_path / "root")
    assert len(str(refusal.value)) < 500


def test_a_line_that_is_not_of_its_schema_is_named(packed, tmp_path):
    """One line of `steps.jsonl` says `loss: "great"`: file, line and field, and nothing is written."""

    def change(entries):
        name = next(n for n in entries if n.endswith("steps.jsonl"))
        first, _, rest = entries[name].partition(b"\n")
        return listed(
            {**entries, name: json.dumps({**json.loads(first), "loss": "great"}).encode() + b"\n" + rest}
        )

    again(packed, tmp_path / "evil.zip", change)
    with pytest.raises(UserError, match=r"steps.jsonl, line 1: loss: "):
        import_archive(tmp_path / "evil.zip", tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_an_imported_study_gives_no_permission_to_run_code(packed, tmp_path):
    """`trust_remote_code: true` in its study.yaml is false here; every other value stays."""
    study = (
        b"name: small\nbase_models:\n- name: x\n  hub: a/b\n  trust_remote_code: true\n  allow_pickle: true\n"
    )
    evil = again(packed, tmp_path / "evil.zip", lambda e: listed({**e, "results/small/study.yaml": study}))
    import_archive(evil, tmp_path)
    text = (tmp_path / "results/small/study.yaml").read_text()
    assert "true" not in text
    assert "hub: a/b" in text


def test_the_files_of_results_are_those_that_are_listed(packed, tmp_path):
    """After the import there is no other file than the known three, the provenance and the hashes."""
    import_archive(packed, tmp_path)
    ours = {"imported.json", hashes.FILE, hashes.LOCK}
    assert {path.name for path in (tmp_path / "results/small").iterdir()} <= {*OF_RESULTS, *ours}


def forged(packed, target, code):
    """The attack: only the base's run, its record naming a folder whose Python is to run."""

    def change(entries):
        conclusions = Conclusions.model_validate_json(entries["results/small/comparisons.json"])
        cell = next(cell for cell in conclusions.cells if cell.is_base)
        record = RunRecord.model_validate_json(entries[f"runs/{cell.run_id}/run.json"])
        model = ModelSpec(name="tiny", folder=str(code), trust_remote_code=True)
        spec = record.spec.model_copy(update={"model": model})
        record = record.model_copy(update={"spec": spec, "run_id": spec.run_id})
        cell = cell.model_copy(update={"run_id": spec.run_id, "eval_digest": None})
        conclusions = conclusions.model_copy(update={"cells": (cell,), "comparisons": (), "estimates": ()})
        return listed(
            {
                "manifest.json": entries["manifest.json"],
                f"runs/{spec.run_id}/run.json": record.model_dump_json().encode(),
                "results/small/comparisons.json": conclusions.model_dump_json().encode(),
            }
        )

    return again(packed, target, change)


def generate(root, **options):
    """`bakeoff generate "Soup" --study small`, as the command calls it."""
    return side_by_side(
        ["Soup"], study="small", temperatures=[0.0], top_p=0.9, max_new_tokens=2, seed=0, root=root,
        say=lambda _: None, **options,
    )  # fmt: skip


def test_a_record_that_names_a_folder_of_code_runs_nothing(packed, tmp_path, capfd):
    """The issue's attack: `generate` on the imported study ends in one line, and the code has not run."""
    code, ran = tmp_path / "code", tmp_path / "ran"
    code.mkdir()
    (code / "modeling_evil.py").write_text(f"open({str(ran)!r}, 'w').write('yes')\n")
    (code / "config.json").write_text(
        json.dumps({"model_type": "evil", "auto_map": {"AutoConfig": "modeling_evil.EvilConfig"}})
    )
    import_archive(forged(packed, tmp_path / "evil.zip", code), tmp_path / "root")
    with pytest.raises(UserError, match="was imported from evil.zip"):
        generate(tmp_path / "root")
    with pytest.raises(SystemExit) as ended:
        main(["generate", "Soup", "--study", "small", "--root", str(tmp_path / "root")])
    assert ended.value.code == 2
    assert len(capfd.readouterr().err.strip().splitlines()) == 1
    # Copied by hand, without its provenance, the record still may not turn the permission on.
    next((tmp_path / "root").glob("runs/*/imported.json")).unlink()
    with pytest.raises(UserError, match="which a record may not decide.*--trust-remote-code"):
        generate(tmp_path / "root")
    with pytest.raises(UserError, match="playground: .*which a record may not decide"):
        serve(
            "small", tmp_path / "root", host="127.0.0.1", port=0, password=None, new_tokens=8, methods=[],
            say=print,
        )  # fmt: skip
    assert not ran.exists()
