"""Every prompt mode and decoding is measured and recorded, the headline's as before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eval.harness import (
    contexts_of,
    document_statistics,
    evaluate,
    evaluation_digest,
    is_current,
    metrics_for,
)
from eval.metrics import Context, measure, metric
from tests.figures.made_up import run_record
from toolkit import config
from toolkit.catalog import CATALOG
from toolkit.data.format import document_id, prompt
from toolkit.errors import UserError
from toolkit.records import (
    EvaluationRecord,
    Generation,
    Outcome,
    hashes,
    read_lines,
    read_statistics,
    write_lines,
)
from toolkit.records.folders import RunFolder
from toolkit.specs import Conversation, Decoding, EvalSpec, General

FORM = config.document_format("recipe")
SPEC = EvalSpec(prompts=("title", "ingredients"), decodings=(Decoding(temperature=0.3), Decoding(top_k=5)))
SETTINGS = [(mode, decoding.name) for mode in SPEC.prompts for decoding in SPEC.decodings]
OF_TEXTS = [name for name, item in metrics_for(FORM).items() if item.of_generations]


def outcome(reference: str, cut: int) -> Outcome:
    """The reference's own end, written whole at the first setting and cut ever shorter at the next ones."""
    generations = []
    for place, (mode, decoding) in enumerate(SETTINGS):
        start = prompt(reference, FORM, mode)
        text = reference[len(start) :]
        generations.append(
            Generation(
                prompt_mode=mode, decoding=decoding, prompt=start, text=text[: len(text) - cut * place],
                tokens=9, ended="end_of_text",
            )
        )  # fmt: skip
    title = reference.split("\n")[0]
    return Outcome(
        document_id=document_id(reference), title=title, reference=reference, generations=tuple(generations)
    )


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, recipe_texts):
    """A folder with an evaluation of six outcomes that no model had to be asked for."""
    run = run_record("full", 0, 1e-4, "CPU")
    folder = RunFolder(tmp_path_factory.mktemp("root"), run.run_id)
    digest = evaluation_digest(SPEC, "print", FORM)
    test = recipe_texts[:6]
    write_lines(folder.outcomes(digest), [outcome(text, 9) for text in test])
    record = evaluate(
        run, folder, SPEC, FORM, train=recipe_texts[6:], test=test, fingerprint="print", progress=lambda _: 0
    )
    return folder, digest, record


def evaluated_on(texts, folder, train=(), train_fingerprint=None):
    """An evaluation of the first six texts, whose outcomes are written unless they are there."""
    path = folder.outcomes(evaluation_digest(SPEC, "print", FORM))
    if not path.is_file():
        write_lines(path, [outcome(text, 9) for text in texts[:6]])
    return evaluate(
        run_record("full", 0, 1e-4, "CPU"), folder, SPEC, FORM, train=train, test=texts[:6],
        fingerprint="print", train_fingerprint=train_fingerprint, progress=lambda _: 0,
    )  # fmt: skip


def test_every_setting_has_every_metric_of_texts(evaluated):
    """2 prompts x 2 decodings: the headline's metrics and three more sets, each signed with its setting."""
    _, _, record = evaluated
    assert len(OF_TEXTS) > 8
    assert [(s.prompt_mode, s.decoding) for s in record.settings] == SETTINGS[1:]
    for setting in record.settings:
        assert list(setting.metrics) == OF_TEXTS
        signed = f"|prompt:{setting.prompt_mode}|decoding:{setting.decoding}"
        assert all(value.signature.endswith(signed) for value in setting.metrics.values())
    assert record.metrics["bleu"].signature.endswith("|prompt:title|decoding:t0.3-p0.9")


def test_settings_are_measured_on_their_own_texts(evaluated):
    """Whole at the first, without `[END]` at the second: compliance 1 and 0; BLEU 100 and below."""
    _, _, record = evaluated
    first, second = record.metrics, record.settings[0].metrics
    assert (first["structure_compliance"].value, second["structure_compliance"].value) == (1.0, 0.0)
    assert first["bleu"].value == pytest.approx(100)
    assert second["bleu"].value < 100


def test_statistics_of_every_setting_add_up(evaluated):
    """Their sums give the recorded value; metrics of likelihood are kept once, with the headline's."""
    folder, digest, record = evaluated
    rows = read_statistics(folder, digest)
    for place, setting in enumerate(record.settings, start=1):
        for name in ("bleu", "structure_compliance", "rouge_l"):
            column = [row.at(*SETTINGS[place])[name] for row in rows]
            sums = [sum(values) for values in zip(*column, strict=True)]
            value = metric(name).aggregate(np.asarray(sums))
            assert float(value) == pytest.approx(setting.metrics[name].value)
    assert all(row.metrics["bleu"] for row in rows)
    assert [set(setting.metrics) for setting in rows[0].settings] == [
        set(metrics_for(FORM)),
        *[set(OF_TEXTS)] * 3,
    ]


def test_a_changed_metric_rewrites_statistics_and_no_text(evaluated, recipe_texts):
    """Measured again from the same outcomes: that file keeps its bytes and its time of change."""
    folder, digest, record = evaluated
    path = folder.outcomes(digest)
    before = path.read_bytes(), path.stat().st_mtime_ns
    folder.statistics(digest).unlink()
    assert not is_current(folder, digest, contexts_of(SPEC, FORM))
    again = evaluate(
        record.run, folder, SPEC, FORM, train=recipe_texts[6:], test=recipe_texts[:6], fingerprint="print",
        progress=lambda _: 0,
    )  # fmt: skip
    record.write(folder.evaluation(digest), sealed=True)
    assert again.metrics == record.metrics
    assert len(read_statistics(folder, digest)) == 6
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_measuring_again_keeps_the_seconds_of_inference(tmp_path, recipe_texts):
    """An evaluation that took 3 s of likelihoods and 4 s of generation: measured again, these stay."""
    folder = RunFolder(tmp_path, "run")
    first = evaluated_on(recipe_texts, folder)
    assert first.seconds.keys() == {"metrics"}  # no model was asked: the outcomes were written by hand
    spent = {"likelihood": 3.0, "generation": 4.0, "metrics": 99.0}
    first.model_copy(update={"seconds": spent}).write(folder.evaluation(first.digest), sealed=True)
    again = evaluated_on(recipe_texts, folder)
    assert again.seconds == {**spent, "metrics": again.seconds["metrics"]}
    assert again.seconds["metrics"] < 99


def test_what_is_copied_is_measured_again_on_another_training_split(tmp_path, recipe_texts):
    """The texts end as six recipes do; with these in training the longest copy is longer than without them.

    The evaluation of a base is found by its test split, which both training splits share. One of an older
    record, which does not name its training split, counts as current.
    """
    folder, contexts = RunFolder(tmp_path, "run"), contexts_of(SPEC, FORM)
    other = evaluated_on(recipe_texts, folder, train=recipe_texts[6:], train_fingerprint="small")
    assert is_current(folder, other.digest, contexts, train="small")
    assert not is_current(folder, other.digest, contexts, train="large")
    again = evaluated_on(recipe_texts, folder, train=recipe_texts, train_fingerprint="large")
    assert again.digest == other.digest
    assert is_current(folder, other.digest, contexts, train="large")
    assert again.metrics["longest_copy"].value > other.metrics["longest_copy"].value
    old = again.model_copy(update={"train": None})
    old.write(folder.evaluation(old.digest), sealed=True)
    assert is_current(folder, old.digest, contexts, train="small")


def test_statistics_that_are_missing_are_refused_by_name(tmp_path):
    """Records of the first version have none: the file is named, and what to do."""
    folder = RunFolder(tmp_path, "old")
    with pytest.raises(UserError, match=r"statistics-abc.jsonl: no such file; `bakeoff run` measures"):
        read_statistics(folder, "abc")


def test_outcomes_of_the_first_version_are_read(recipe_texts):
    """They held statistics, of the document and of each text: passed over."""
    made = outcome(recipe_texts[0], 0).model_dump(mode="json")
    made["statistics"] = {"bleu": [1.0]}
    made["generations"][0]["statistics"] = {"bleu": [1.0]}
    assert Outcome.model_validate(made) == outcome(recipe_texts[0], 0)


def test_documents_with_equal_prompts_are_one_cluster(tmp_path):
    """Two recipes of one title and one of another: two clusters by the title, three by the ingredients."""
    texts = [
        f"RECIPE: {title}\nINGREDIENTS: {food}\nDIRECTIONS: Cook it.\n[END]"
        for title, food in (("Soup", "peas"), ("Soup", "leeks"), ("Cake", "flour"))
    ]
    outcomes = [Outcome(document_id=document_id(t), title="", reference=t) for t in texts]
    for mode, clusters in (("title", [0, 0, 1]), ("ingredients", [0, 1, 2])):
        context = Context(form=FORM, prompt_mode=mode)
        names = [row.cluster for row in document_statistics(outcomes, [context], [{}])]
        assert [list(dict.fromkeys(names)).index(name) for name in names] == clusters


def test_clusters_of_the_data_set_take_the_place_of_prompts(evaluated, recipe_texts):
    """Six recipes of six titles in two topics are two clusters; other labels are measured again, no texts."""
    folder, digest, record = evaluated
    contexts = contexts_of(SPEC, FORM)
    labels = {document_id(text): "ab"[number % 2] for number, text in enumerate(recipe_texts[:6])}
    assert not is_current(folder, digest, contexts, labels)
    again = evaluate(
        record.run, folder, SPEC, FORM, train=recipe_texts[6:], test=recipe_texts[:6], fingerprint="print",
        clusters=labels, progress=lambda _: 0,
    )  # fmt: skip
    assert [row.cluster for row in read_statistics(folder, digest)] == ["a", "b"] * 3
    assert is_current(folder, digest, contexts, labels)
    assert not is_current(folder, digest, contexts)
    assert again.metrics == record.metrics
    evaluate(
        record.run, folder, SPEC, FORM, train=recipe_texts[6:], test=recipe_texts[:6], fingerprint="print",
        progress=lambda _: 0,
    )  # fmt: skip
    record.write(folder.evaluation(digest), sealed=True)
    assert len({row.cluster for row in read_statistics(folder, digest)}) == 6


def test_the_order_of_settings_changes_no_value(evaluated, recipe_texts):
    """Each setting measured alone gives the same."""
    folder, digest, record = evaluated
    rows = read_lines(folder.outcomes(digest), Outcome)
    contexts = contexts_of(SPEC, FORM, recipe_texts[6:])
    for context, setting in zip(contexts[1:], record.settings, strict=True):
        for name in OF_TEXTS:
            assert measure(metric(name), rows, context)[0] == setting.metrics[name]


def test_an_evaluation_without_its_settings_is_not_current(evaluated):
    """As made it is; with a setting's metric lost, or a setting, it is measured again."""
    folder, digest, record = evaluated
    contexts = contexts_of(SPEC, FORM)
    assert is_current(folder, digest, contexts)
    path: Path = folder.evaluation(digest)
    whole = path.read_bytes()
    last = record.settings[-1]
    less = last.model_copy(update={"metrics": {k: v for k, v in last.metrics.items() if k != "bleu"}})
    for settings in ((), record.settings[:-1], (*record.settings[:-1], less)):
        record.model_copy(update={"settings": settings}).write(path, sealed=True)
        assert not is_current(folder, digest, contexts)
    path.write_bytes(whole)
    hashes.seal(path.parent, [path])
    assert EvaluationRecord.read(path) == record


def test_a_chat_template_counts_by_its_text_and_not_by_its_path(tmp_path):
    """A folder that has moved is no other evaluation; an edited template is."""
    text = (CATALOG / "templates" / "chatml.jinja").read_text()
    digests = []
    for folder, content in (("here", text), ("there", text), ("edited", text.replace("assistant", "cook"))):
        path = tmp_path / folder / "own.jinja"
        path.parent.mkdir()
        path.write_text(content)
        digests.append(evaluation_digest(SPEC, "print", Conversation(name="own", template=str(path))))
    assert digests[0] == digests[1] != digests[2]


def test_a_file_of_general_texts_counts_by_its_content(tmp_path):
    """Moved it is no other evaluation; with another text every run is evaluated anew."""
    digests = []
    for folder, text in (("here", "news"), ("there", "news"), ("edited", "old news")):
        path = tmp_path / folder / "general.jsonl"
        path.parent.mkdir()
        row = {"title": "A", "ingredients": "b", "directions": text}
        path.write_text(json.dumps(row) + "\n")
        general = General(dataset=config.dataset({"name": "mine", "files": [str(path)]}), texts=1)
        digests.append(evaluation_digest(SPEC.model_copy(update={"general": general}), "print", FORM))
    assert digests[0] == digests[1] != digests[2]
