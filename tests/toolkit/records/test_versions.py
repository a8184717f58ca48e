"""Records say which format they are in: other formats are refused by name, with a remedy."""

from __future__ import annotations

import json

import pytest

from tests.figures.made_up import run_record
from toolkit.errors import UserError
from toolkit.records import BASE, FORMAT_VERSION, RunRecord


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


def test_the_untouched_base_is_the_run_without_a_learning_rate():
    """One answer for specs and cells."""
    assert run_record(BASE, 0, None, "CPU").spec.is_base
    assert not run_record("full", 0, 1e-4, "CPU").spec.is_base
