"""Score some documents of a finished run again, and compare with what its evaluations state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eval.inference.answers import answer_likelihoods
from eval.inference.likelihood import likelihoods
from toolkit.data.conversations.template import ChatTemplate
from toolkit.models.artifact import load_run
from toolkit.records import EvaluationRecord, Outcome, RunRecord, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import AnyFormat, Conversation, ModelSpec

TOLERANCE = 1e-3
"""Nats per token: sums in another order, on another number of threads or device, differ by far less."""


class Rescored(NamedTuple):
    """What came of scoring documents again."""

    documents: int
    """How many were scored, over all evaluations."""
    reason: str | None
    """Why none was; None if any was."""
    differing: tuple[tuple[Path, str], ...]
    """File of outcomes, and in words what differs."""


def rescore(
    record: RunRecord,
    folder: RunFolder,
    documents: int,
    base: ModelSpec,
    digests: Sequence[str] | None = None,
) -> Rescored:
    """Score the first ``documents`` of each evaluation, by their ids, with the saved model.

    ``digests`` name the evaluations; all of the run by default. ``base`` is the base model as it lies on this
    machine. A document differs by more than `TOLERANCE` per token. Raises UserError if the weights are not as
    they were saved.
    """
    if digests is None:
        digests = folder.digests()
    if reason := _reason(record, folder, digests, documents):
        return Rescored(0, reason, ())
    if record.spec.dataset is None:  # as `_reason` has seen; for the type checker
        raise RuntimeError("no data set")
    form, scored = record.spec.dataset.format, 0
    differing: list[tuple[Path, str]] = []
    for digest in digests:
        path = folder.outcomes(digest)
        precision = EvaluationRecord.read(folder.evaluation(digest)).spec.likelihood_precision
        outcomes = [one for one in read_lines(path, Outcome) if not one.general]
        sample = sorted(outcomes, key=lambda outcome: outcome.document_id)[:documents]
        values = _scores(record, folder, [one.reference for one in sample], form, precision, base)
        scored += len(sample)
        for outcome, (nats, tokens) in zip(sample, values, strict=True):
            stated = sum(part.nll for part in (outcome.likelihood or {}).values())
            if abs(nats - stated) > TOLERANCE * max(1, tokens):
                what = f"has {stated:.4f} nats, and the saved model gives {nats:.4f}"
                differing.append((path, f"document {outcome.document_id} {what}"))
    return Rescored(scored, None, tuple(differing))


def _reason(record: RunRecord, folder: RunFolder, digests: Sequence[str], documents: int) -> str | None:
    """Why nothing can be scored; None if it can."""
    if documents < 1:
        return "none was wanted"
    if record.status == "diverged":
        return "the run diverged"
    if not digests:
        return "the run has no evaluation"
    if record.spec.dataset is None:
        return "the record of a model that was not trained here does not name the format of its documents"
    return None if folder.artifact.is_dir() else "the weights are on another machine"


def _scores(
    record: RunRecord,
    folder: RunFolder,
    texts: list[str],
    form: AnyFormat,
    precision: str,
    base: ModelSpec,
) -> list[tuple[float, int]]:
    """Return nats and tokens of each text, scored as an evaluation does."""
    model, tokenizer = load_run(record, folder, base)
    if isinstance(form, Conversation):
        parts = answer_likelihoods(model, ChatTemplate(form, tokenizer), texts, precision=precision)
    else:
        parts = likelihoods(model, tokenizer, texts, form, precision=precision)
    return [(sum(p.nll for p in one.values()), sum(p.tokens for p in one.values())) for one in parts]
