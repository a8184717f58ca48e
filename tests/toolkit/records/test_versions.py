"""Records say which format they are in: other formats are refused by name, with a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.figures.made_up import run_record
from toolkit.errors import UserError
from toolkit.records import (
    BASE,
    FORMAT_VERSION,
    Conclusions,
    EvaluationRecord,
    Outcome,
    RunRecord,
    Step,
    read_lines,
)


def written(path, **changes):
    """A run's record on disk with fields changed, as another version might have written it."""
    value = run_record("full", 0, 1e-4, "CPU").model_dump(mode="json") | changes
    path.write_text(json.dumps(value), encoding="utf-8")
    return value


def test_a_record_of_the_first_version_is_refused_by_name(tmp_path):
    """It called the fingerprints `recipes`: the version is the reason, not the unknown field."""
    value = written(tmp_path / "run.json")
    value["spec"]["recipes"] = value["spec"].pop("fingerprints")
    (tmp_path / "run.json").write_text(json.dumps(value | {"version": 1}), encoding="utf-8")
    says = rf"run\.json: written by an older bakeoff \(record format 1, this one reads {FORMAT_VERSION}\)\."
    with pytest.raises(UserError, match=says):
        RunRecord.read(tmp_path / "run.json")


def test_a_record_of_another_version_is_refused_even_if_every_field_fits(tmp_path):
    """Equal fields need not mean the same: 1 is older, 99 is newer."""
    for version, says in ((1, "an older bakeoff"), (99, "a newer bakeoff .*Update bakeoff")):
        written(tmp_path / "run.json", version=version)
        with pytest.raises(UserError, match=says):
            RunRecord.read(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file: .*damaged"),
        (b"[]", ".*damaged"),
        (b"null", ".*damaged"),
        (b'{"version": "two"}', ".*damaged"),
        ("{}".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_damaged_record_is_one_line_that_names_it(tmp_path, content, says):
    """Empty, a list, null, a version that is no number, UTF-16."""
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=rf"run\.json: {says}") as caught:
        RunRecord.read(tmp_path / "run.json")
    assert "\n" not in str(caught.value)


def test_a_line_that_is_not_utf_8_is_named_by_its_number(tmp_path):
    """A flipped bit in the second of two lines."""
    line = Step(step=1, epoch=0.5, seconds=1.0, tokens=9).model_dump_json().encode()
    (tmp_path / "steps.jsonl").write_bytes(line + b"\n" + line.replace(b"step", b"st\xe5p") + b"\n")
    with pytest.raises(UserError, match=r"steps\.jsonl, line 2: .*the file is damaged"):
        read_lines(tmp_path / "steps.jsonl", Step)


def test_the_untouched_base_is_the_run_without_a_learning_rate():
    """One answer for specs and cells."""
    assert run_record(BASE, 0, None, "CPU").spec.is_base
    assert not run_record("full", 0, 1e-4, "CPU").spec.is_base


GOLDEN = Path(__file__).parent / "golden"
KINDS = {"run.json": RunRecord, "evaluation.json": EvaluationRecord, "comparisons.json": Conclusions}


def test_there_is_a_golden_record_of_every_version():
    """A record as each version wrote it is never changed: a new version adds a folder."""
    assert sorted(int(path.name) for path in GOLDEN.iterdir()) == list(range(1, FORMAT_VERSION + 1))
    for version in GOLDEN.iterdir():
        for name in KINDS:
            value = json.loads((version / name).read_text(encoding="utf-8"))
            assert value["version"] == int(version.name)


@pytest.mark.parametrize("name", KINDS)
def test_a_golden_record_of_this_version_is_read_and_loses_nothing(name, tmp_path):
    """Every field is there after reading and writing; newer fields may have joined them."""
    path = GOLDEN / str(FORMAT_VERSION) / name
    record = KINDS[name].read(path)
    record.write(tmp_path / name)
    missing = lost(json.loads(path.read_text()), json.loads((tmp_path / name).read_text()))
    assert missing == []
    assert KINDS[name].read(tmp_path / name) == record


def lost(old, new, place=""):
    """Places of a JSON value at which the other one lacks or changes something."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [at for key in old for at in lost(old[key], new.get(key, "lacking"), f"{place}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [at for i in range(len(old)) for at in lost(old[i], new[i], f"{place}.{i}")]
    return [] if old == new else [place]


def test_a_golden_run_has_the_identity_that_it_was_written_with():
    """Otherwise every finished run would be trained again."""
    record = RunRecord.read(GOLDEN / str(FORMAT_VERSION) / "run.json")
    assert record.run_id == record.spec.run_id == "smollm2-135m-embedded.full.s0.9553229a1ce5"


def test_lines_of_this_version_are_read():
    """Two outcomes, two steps."""
    folder = GOLDEN / str(FORMAT_VERSION)
    assert [outcome.title for outcome in read_lines(folder / "outcomes.jsonl", Outcome)] == [
        "Dish 0",
        "Dish 1",
    ]
    assert [step.step for step in read_lines(folder / "steps.jsonl", Step)] == [0, 1]


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION))
@pytest.mark.parametrize("name", KINDS)
def test_a_golden_record_of_an_older_version_is_refused_by_name(version, name):
    """With its number, in one line."""
    with pytest.raises(UserError, match=rf"an older bakeoff \(record format {version}, ") as caught:
        KINDS[name].read(GOLDEN / str(version) / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_a_newer_record_is_refused_by_name_though_it_has_fields_of_its_own(name, tmp_path):
    """The golden record, of the next version, with a field that nobody knows here."""
    value = json.loads((GOLDEN / str(FORMAT_VERSION) / name).read_text(encoding="utf-8"))
    value |= {"version": FORMAT_VERSION + 1, "of_tomorrow": 1}
    (tmp_path / name).write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(UserError, match=r"a newer bakeoff .*Update bakeoff"):
        KINDS[name].read(tmp_path / name)
