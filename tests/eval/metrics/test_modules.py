"""The metrics as an `evaluate` module: loaded offline from a checkout, alone and combined with others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.metrics import all_metrics
from toolkit.config import document_format

GOOD = "RECIPE: Toast\nINGREDIENTS: bread\nDIRECTIONS: Toast the bread on both sides.\n[END]"
ENDLESS = "RECIPE: Toast\nINGREDIENTS: bread\nDIRECTIONS: Toast the bread on both sides."

CODE = f"""
import json, sys, evaluate
from toolkit.errors import UserError
names = sys.argv[1:]
good, endless = {GOOD!r}, {ENDLESS!r}
found = {{}}
for name in names:
    module = evaluate.load("eval/hf_evaluate", name)
    ended = [True, True]
    found |= module.compute(predictions=[good, good], references=[good, good], train=[good], stopped=ended)
one = evaluate.load("eval/hf_evaluate", "structure_compliance")
found["alone"] = one.compute(predictions=[good, endless], references=[good, good], stopped=[True, False])
found["of predictions"] = one.compute(predictions=[good, endless, ""])
rest = good.split("\\n", 1)[1]
found["continuation"] = one.compute(predictions=[rest], references=[good])
try:
    evaluate.load("eval/hf_evaluate", "bleu").compute(predictions=[good])
except UserError as error:
    found["refused"] = str(error)
try:
    evaluate.load("eval/hf_evaluate", "stop_rate").compute(predictions=[good])
except UserError as error:
    found["no endings"] = str(error)
try:
    evaluate.load("eval/hf_evaluate", "copied").compute(predictions=[good])
except UserError as error:
    found["no train"] = str(error)
try:
    evaluate.load("eval/hf_evaluate", "stop_rate").compute(predictions=[good], stopped=["False"])
except UserError as error:
    found["a word"] = str(error)
one_by_one = evaluate.load("eval/hf_evaluate", "structure_compliance")
one_by_one.add(prediction=good)
one_by_one.add(prediction=endless, reference=good)
found["one by one"] = one_by_one.compute()
found["no references"] = evaluate.load("eval/hf_evaluate", "distinct").compute(predictions=[good])
try:
    evaluate.load("eval/hf_evaluate", "blue")
except UserError as error:
    found["unknown"] = str(error)
both = evaluate.combine([evaluate.load("eval/hf_evaluate", n) for n in ("structure_compliance", "bleu")])
found["combined"] = both.compute(predictions=[good, endless], references=[good, good])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the module computes for every metric, in a process without connection and cache."""
    texts = document_format("recipe")
    names = [name for name, item in all_metrics().items() if item.of_generations and item.defined_on(texts)]
    assert len(names) >= 10
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "PYTHONPATH": str(Path.cwd()),
    }
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", CODE, *names], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_module_loads_offline_and_scores_references_best(found):
    """The references as predictions: structure 1, BLEU and chrF 100, every ingredient used, all copied."""
    assert found["structure_compliance"] == found["structure_partial"] == found["rouge_l"] == 1
    assert found["bleu"] == pytest.approx(100)
    assert found["chrf"] == pytest.approx(100)
    assert found["ingredient_use"] == found["ingredient_match"] == found["length_ratio"] == 1
    assert found["longest_copy"] == 7
    assert found["bleu_signature"].startswith("nrefs:1|case:mixed")


def test_a_module_takes_documents_one_by_one_and_refuses_what_is_no_ending(found):
    """One of two has an end; a word is neither true nor false; copies need the texts they may be of."""
    assert found["one by one"]["structure_compliance"] == 0.5
    assert "stopped: expected True or False per document, got str: 'False'" in found["a word"]
    assert "looks at training texts: give them as `train`" in found["no train"]


def test_a_module_takes_how_texts_ended(found):
    """One good, one without [END] that ran to the limit: 1 of 2, and the failing checks by name."""
    alone = found["alone"]
    assert alone["structure_compliance"] == 0.5
    failed = {name for name, count in alone["structure_compliance_details"].items() if count}
    assert failed == {"failed: end present", "failed: stopped by itself"}


def test_what_a_module_needs_is_asked_for(found):
    """Stop rate needs to know how texts ended; diversity needs no references."""
    assert "needs to know which texts the model ended by itself" in found["no endings"]
    assert found["no references"]["distinct"] > 0


def test_structure_needs_no_references(found):
    """One of three is a recipe; a metric that compares says that it can't."""
    assert found["of predictions"]["structure_compliance"] == pytest.approx(1 / 3)
    assert found["continuation"]["structure_compliance"] == 1
    assert found["refused"] == "bleu needs references, and none are given"


def test_an_unknown_metric_is_refused(found):
    """'blue' is no metric; 'bleu' is."""
    assert found["unknown"].startswith("unknown metric 'blue'. Did you mean 'bleu'? Known: bleu, chrf,")


def test_modules_combine(found):
    """`evaluate.combine` of two of them gives both values."""
    assert found["combined"]["structure_compliance"] == 0.5
    assert found["combined"]["bleu"] == pytest.approx(100)
