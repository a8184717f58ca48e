"""Records that the first version wrote are still read."""

import json
from typing import Any

from tests.figures.made_up import run_record
from toolkit import config
from toolkit.records import RunRecord


def test_a_format_held_as_a_name_is_looked_up_when_the_record_is_read() -> None:
    """The first version wrote `"format": "rezept"`; the record read has its sections, and the same run id."""
    record = run_record("full", 0, 1e-4, "cpu")
    value: dict[str, Any] = json.loads(record.model_dump_json())
    value["spec"]["dataset"]["format"] = "rezept"
    read = RunRecord.model_validate_json(json.dumps(value))
    assert read.spec.dataset is not None
    assert read.spec.dataset.format == config.document_format("rezept")
    assert read.spec.run_id == record.spec.run_id
