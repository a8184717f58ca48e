"""Export and import: a study split over machines by hand, and archives that are damaged or foreign."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile

import pytest

from experiments.analysis.verify import verify_run
from experiments.design import study
from experiments.design.planning.plan import plan
from experiments.design.study_state import StudyState
from experiments.sharing.export import export, shared_content
from experiments.sharing.incoming.importing import import_archive
from tests.experiments.sharing.forging import again, listed
from tests.experiments.small import asked, in_this_process, run
from toolkit.errors import UserError
from toolkit.records import EvaluationRecord, Likelihood, Outcome, Provenance, hashes, write_lines


@pytest.fixture(scope="module")
def packed(done, tmp_path_factory):
    """The exported study, its root, and a copy's: nothing here touches the original."""
    file = tmp_path_factory.mktemp("export") / "small.zip"
    export("small", (), done[0], file)
    return file


def test_an_export_holds_records_and_neither_report_nor_weights(done, packed):
    """Three runs with spec, record, steps, evaluation and statistics; nothing of report/ or artifact/."""
    root, conclusions, _ = done
    with zipfile.ZipFile(packed) as file:
        names = set(file.namelist())
    for cell in conclusions.cells:
        assert f"runs/{cell.run_id}/run.json" in names
        assert f"runs/{cell.run_id}/eval-{cell.eval_digest}.json" in names
        assert f"runs/{cell.run_id}/eval-{cell.eval_digest}.jsonl" in names
        assert f"runs/{cell.run_id}/statistics-{cell.eval_digest}.jsonl" in names
    assert "results/small/comparisons.json" in names
    assert not any(
        "artifact" in name or "report" in name or ".data" in name or name.endswith((".lock", ".log"))
        for name in names
    )
    assert packed.stat().st_size < 1e6


def test_the_same_records_give_the_same_bytes(done, packed, tmp_path):
    """No date, no order of the disk's: two exports are one."""
    export("small", (), done[0], tmp_path / "other.zip")
    assert (tmp_path / "other.zip").read_bytes() == packed.read_bytes()


def test_evaluations_of_other_studies_are_not_packed(done, packed, tmp_path):
    """A base may have been asked about private texts: a copy of its evaluation, under another digest."""
    root = tmp_path / "root"
    shutil.copytree(done[0], root, ignore=shutil.ignore_patterns("artifact"))
    run = root / "runs" / done[1].cells[0].run_id
    for path in [*run.glob("eval-*"), *run.glob("statistics-*")]:
        shutil.copy(path, path.with_name(f"{path.name.partition('-')[0]}-0123456789ab{path.suffix}"))
    export("small", (), root, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_imported_runs_count_as_done_and_conclude_the_same(done, packed, tmp_path, tiny_gpt2):
    """On an empty machine: 3 added; `run` starts nothing and concludes what the first machine did."""
    found = import_archive(packed, tmp_path)
    assert len(found.added) == 3
    assert found.results
    provenance = Provenance.read(tmp_path / "runs" / found.added[0] / "imported.json")
    assert (provenance.archive, provenance.study) == ("small.zip", "small")
    assert provenance.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    conclusions, said = run(tmp_path, tiny_gpt2, "small", execute=in_this_process)
    assert "starting" not in said
    assert conclusions == done[1]
    assert set(import_archive(packed, tmp_path).here_already) == set(found.added)


def test_an_evaluation_that_the_weights_are_missing_for_says_so(packed, tmp_path, tiny_gpt2):
    """Imported without weights and asked for another evaluation: a failed cell that says where to do it.

    Never the untouched base in its place, which is what loads without an artifact."""
    import_archive(packed, tmp_path)
    greedy = "evaluate.decodings=[{name: greedy, temperature: 0}]"
    told, nothing = (
        plan(StudyState(study.load("quickstart", asked(tiny_gpt2, *more)), tmp_path).prepare())
        for more in (("greedy", greedy), ("small",))
    )
    beginning = "no weights here to evaluate 2 runs, imported or deleted: run the study where "
    assert told["without_weights"].startswith(beginning)
    assert told["without_weights"].count(str(tmp_path / "runs")) == 2
    assert nothing["without_weights"] is None
    conclusions, _ = run(tmp_path, tiny_gpt2, "greedy", greedy, execute=in_this_process)
    status = {cell.method: cell.status for cell in conclusions.cells}
    assert status == {"base": "finished", "full": "failed", "lora-r16": "failed"}
    failed = [str(cell.error) for cell in conclusions.cells if cell.status == "failed"]
    assert len(failed) == 2
    assert all("has no weights here" in error for error in failed)


def test_what_is_finished_here_is_never_changed(done, packed, tmp_path):
    """The same run trained on both machines: ours stays, file by file, and the run is named."""
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    ours = next(tmp_path.glob("runs/tiny.full.*/run.json"))
    record = json.loads(ours.read_text())
    record["costs"]["train_seconds"] += 1
    ours.write_text(json.dumps(record))
    hashes.seal(ours.parent, [ours])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    found = import_archive(packed, tmp_path)
    assert found.kept_ours == (ours.parent.name,)
    assert len(found.here_already) == 2
    assert not found.results
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before


def test_conclusions_about_a_base_measured_otherwise_are_not_taken(done, packed, tmp_path):
    """The base's texts were compared with another training split here: ours stays, and is named."""
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "results")
    (path,) = (path for cell in done[1].cells if cell.is_base for path in
               tmp_path.glob(f"runs/{cell.run_id}/eval-{cell.eval_digest}.json"))  # fmt: skip
    ours = EvaluationRecord.read(path).model_copy(update={"train": "other"})
    ours.write(path, sealed=True)
    found = import_archive(packed, tmp_path)
    assert (found.kept_ours, len(found.here_already), found.results) == ((path.parent.name,), 2, False)
    assert EvaluationRecord.read(path) == ours


def test_the_base_of_another_machine_is_the_same_base(done, packed, tmp_path):
    """Loaded here in other time, and evaluated otherwise: their evaluation and conclusions are taken too."""
    (base,) = (cell for cell in done[1].cells if cell.is_base)
    folder = tmp_path / "runs" / base.run_id
    shutil.copytree(done[0] / "runs" / base.run_id, folder)
    ours = json.loads((folder / "run.json").read_text())
    ours["costs"]["load_seconds"] = 1234.5
    hashes.write_sealed(folder / "run.json", json.dumps(ours).encode())
    names = {f"eval-{base.eval_digest}.json", f"statistics-{base.eval_digest}.jsonl"}
    for name in names:
        (folder / name).unlink()
    (folder / f"eval-{base.eval_digest}.jsonl").write_text("")  # it was stopped as it began to write
    before = (folder / "run.json").read_bytes()
    found = import_archive(packed, tmp_path)
    assert (found.completed, len(found.added), found.results) == ((base.run_id,), 2, True)
    assert (folder / "run.json").read_bytes() == before
    assert verify_run(base.run_id, tmp_path).problems == ()
    export("small", (), tmp_path, tmp_path / "again.zip")
    assert len(import_archive(tmp_path / "again.zip", tmp_path / "third").added) == 3


def test_general_texts_that_an_export_leaves_out_are_no_other_outcome(done, tmp_path):
    """Exported and imported where it was made: every run is here already, and conclusions are taken."""
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    for cell in done[1].cells:
        path = tmp_path / "runs" / cell.run_id / f"eval-{cell.eval_digest}.jsonl"
        news = Outcome(document_id="n", title="News", reference="It rained.", general=True)
        hashes.write_sealed(
            path, path.read_bytes() + news.model_dump_json().replace('":', '": ').encode() + b"\n"
        )
    export("small", (), tmp_path, tmp_path / "small.zip")
    shutil.rmtree(tmp_path / "results")
    found = import_archive(tmp_path / "small.zip", tmp_path)
    assert (len(found.here_already), found.kept_ours, found.results) == (3, (), True)


def test_a_base_that_was_evaluated_here_too_keeps_our_texts(done, packed, tmp_path):
    """Other outcomes, as of another processor: their conclusions are not about what is here."""
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "results")
    (base,) = (cell for cell in done[1].cells if cell.is_base)
    path = tmp_path / "runs" / base.run_id / f"eval-{base.eval_digest}.jsonl"
    hashes.write_sealed(path, path.read_bytes().replace(b'"nll": ', b'"nll": 1'))
    found = import_archive(packed, tmp_path)
    assert (found.kept_ours, found.results) == ((base.run_id,), False)


def test_an_import_leaves_no_evaluation_of_former_weights(done, packed, tmp_path):
    """Our LoRA run has lost its record: theirs is taken, and an evaluation and the weights of ours go."""
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    folder = next(tmp_path.glob("runs/tiny.lora-r16.*"))
    (folder / "run.json").unlink()
    hashes.write_sealed(folder / "eval-0a.json", b"{}")
    assert import_archive(packed, tmp_path).added == (folder.name,)
    assert not (folder / "eval-0a.json").exists()
    assert not (folder / "artifact").exists()
    assert verify_run(folder.name, tmp_path).problems == ()


def test_imported_conclusions_come_with_their_own_study(packed, tmp_path):
    """A study that was started here and has concluded nothing: its file would be of other conclusions."""
    ours = tmp_path / "results" / "small" / "study.yaml"
    hashes.write_sealed(ours, b"name: small\n")
    assert import_archive(packed, tmp_path).results
    assert "base_models" in ours.read_text()


def test_conclusions_about_runs_that_are_left_out_are_not_exported(done, tmp_path, tiny_gpt2):
    """Seed 1 was never run, so the base alone is packed: without a verdict about runs of seed 0."""
    exported = export("quickstart", asked(tiny_gpt2, "small", "seeds=[1]"), done[0], tmp_path / "part.zip")
    assert exported.runs == 1
    with zipfile.ZipFile(exported.file) as file:
        assert not any(name.startswith("results/") for name in file.namelist())


def test_half_of_a_study_is_exported_and_the_other_half_counted(packed, tmp_path, tiny_gpt2):
    """Without the LoRA run and without conclusions: two runs packed by the study's own grid, one left out."""
    import_archive(packed, tmp_path)
    shutil.rmtree(next(tmp_path.glob("runs/tiny.lora-r16.*")))
    shutil.rmtree(tmp_path / "results")
    done = export("quickstart", asked(tiny_gpt2, "small"), tmp_path, tmp_path / "half.zip")
    assert (done.runs, done.left_out) == (2, 1)


def test_a_run_that_is_being_worked_on_is_left_alone(packed, tmp_path):
    """Its lock is held: it is named as busy, and nothing is written into it.

    Nor are the conclusions taken, which are about another run than the one that is made here.
    """
    from filelock import FileLock

    with zipfile.ZipFile(packed) as file:
        run_id = next(name.split("/")[1] for name in file.namelist() if ".full." in name)
    folder = tmp_path / "runs" / run_id
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        found = import_archive(packed, tmp_path)
    assert found.busy == (run_id,)
    assert len(found.added) == 2
    assert [path.name for path in folder.iterdir()] == [".lock"]
    assert not found.results
    assert not (tmp_path / "results").exists()


def test_a_damaged_or_foreign_file_is_told_in_one_line(packed, tmp_path):
    """Cut, flipped, no zip, a zip of something else, no file, a record of another schema, a changed spec."""
    root = tmp_path / "root"
    whole = packed.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.zip").write_text("hello")
    middle = bytearray(whole)
    for at in range(len(whole) // 3, len(whole) // 3 + 50):
        middle[at] ^= 0xFF
    (tmp_path / "flipped.zip").write_bytes(middle)
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as file:
        file.writestr("hello.txt", "hello")

    def record_changed(key, value):
        def change(entries):
            name = next(n for n in entries if ".full." in n and n.endswith("run.json"))
            record = json.loads(entries[name])
            record[key] = value(record[key])
            return listed({**entries, name: json.dumps(record).encode()})

        return change

    again(packed, tmp_path / "schema.zip", record_changed("status", lambda _: "great"))
    again(packed, tmp_path / "spec.zip", record_changed("spec", lambda spec: {**spec, "learning_rate": 7.0}))
    again(packed, tmp_path / "bytes.zip", lambda e: {n: c.replace(b"tiny", b"tinx") for n, c in e.items()})
    says = {
        "cut": "is damaged",
        "text": "is damaged",
        "flipped": "is damaged",
        "foreign": "is not a file of `bakeoff export`",
        "gone": "not a file",
        "schema": "status",
        "spec": "is not of this run|its spec has the id",
        "bytes": "is damaged|does not hold",
    }
    for name, text in says.items():
        with pytest.raises(UserError, match=text) as told:
            import_archive(tmp_path / f"{name}.zip", root)
        assert "\n" not in str(told.value)
    assert not root.exists()


def test_nothing_to_export_is_told(tmp_path, tiny_gpt2):
    """No finished run: one line that says where it looked."""
    with pytest.raises(UserError, match="has no finished run"):
        export("quickstart", asked(tiny_gpt2, "small"), tmp_path)


def test_general_texts_are_not_exported(tmp_path):
    """Somebody else's news: the likelihood stays, the words go; a held-out recipe stays as it is."""
    recipe = Outcome(document_id="a", title="Soup", reference="TITLE: Soup")
    parts = {"text": Likelihood(nll=2.0, tokens=3, bytes=9)}
    news = Outcome(document_id="b", title="Rain", reference="Rain fell.", general=True, likelihood=parts)
    write_lines(tmp_path / "eval-0a.jsonl", [recipe, news])
    content = shared_content(tmp_path / "eval-0a.jsonl", tmp_path)
    lines = [Outcome.model_validate_json(line) for line in content.splitlines()]
    assert lines == [recipe, news.model_copy(update={"title": "", "reference": ""})]
