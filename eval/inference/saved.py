"""The outcomes of a finished run: those on disk, or else those of its saved model, which are written."""

from __future__ import annotations

from collections.abc import Sequence

from eval import general_text
from toolkit.errors import UserError
from toolkit.events import Listener, PhaseStarted
from toolkit.models.precision import resolve_precision
from toolkit.records import EvaluationRecord, Outcome, RunRecord, hashes, read_lines, write_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import AnyFormat, EvalSpec, ModelSpec


def outcomes_of(
    run: RunRecord,
    folder: RunFolder,
    digest: str,
    spec: EvalSpec,
    form: AnyFormat,
    test: Sequence[str],
    base: ModelSpec | None,
    progress: Listener,
) -> tuple[list[Outcome], dict[str, float]]:
    """Return an evaluation's outcomes, and the seconds that each pass over the documents took.

    The seconds of outcomes on disk are those in the evaluation's record; without one they are unknown and
    left out. Raises UserError if there is not one outcome per document of ``test``, or without weights.
    """
    path = folder.outcomes(digest)
    if path.is_file() and not hashes.changed(path):
        outcomes, seconds = read_lines(path, Outcome), _recorded_seconds(folder, digest)
    else:
        outcomes, seconds = _run_model(run, folder, spec, form, test, base, progress)
        write_lines(path, outcomes, sealed=True)
    held_out = sum(not outcome.general for outcome in outcomes)
    if held_out != len(test):
        raise UserError(f"{path} has {held_out} outcomes for {len(test)} documents: delete it")
    return outcomes, seconds


def _recorded_seconds(folder: RunFolder, digest: str) -> dict[str, float]:
    try:
        return dict(EvaluationRecord.read(folder.evaluation(digest)).seconds)
    except UserError:  # missing or damaged: it is about to be written again
        return {}


def _run_model(
    run: RunRecord,
    folder: RunFolder,
    spec: EvalSpec,
    form: AnyFormat,
    test: Sequence[str],
    base: ModelSpec | None,
    progress: Listener,
) -> tuple[list[Outcome], dict[str, float]]:
    # What is evaluated is what was saved, loaded again: torch only from here on.
    from eval.inference.outcomes import outcomes
    from toolkit.models.artifact import load_run

    if not run.spec.is_base:
        folder.require_artifact()
    general = general_text.texts(spec.general) if spec.general else []
    progress(PhaseStarted(phase="loading"))
    model, tokenizer = load_run(run, folder, base)
    precision = resolve_precision(run.spec.train.precision)
    progress(PhaseStarted(phase="evaluating"))
    return outcomes(
        model, tokenizer, test, form, spec, general=general, precision=precision, progress=progress
    )
