"""Finished cells, made up: records of a study of any size on disk, for timing what reads them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from eval.harness import contexts_of, document_statistics, evaluation_digest, measure_all
from eval.metrics import all_metrics
from experiments.design.conditions import CellSpec
from experiments.design.study import StudySpec
from experiments.design.study_state import StudyState
from toolkit import config
from toolkit.data.format import document_id
from toolkit.records import (
    Costs,
    DataCounts,
    EvaluationRecord,
    Generation,
    Likelihood,
    Outcome,
    Record,
    RunRecord,
    Step,
    write_lines,
)
from toolkit.records.files import write_text
from toolkit.specs import RunSpec

STEPS = 60
VARIANTS = 6
"""Different outcomes of one document; each cell holds a mixture of its own."""
Variant = tuple[str, str]
"""An outcome and its statistics, as lines."""


def finish(study_state: StudyState, seed: int = 0) -> list[CellSpec]:
    """Write the records that a study's cells would have left, with numbers that are made up."""
    draw = random.Random(seed)
    done: list[CellSpec] = []
    # The first cells are those of the search; that they are there decides which others follow.
    while len(cells := study_state.cells()) > len(done):
        _write_all(study_state, [cell for cell in cells if not study_state.record(cell)], draw)
        done = cells
    return done


def _write_all(study_state: StudyState, cells: list[CellSpec], draw: random.Random) -> None:
    evaluations: dict[str, tuple[EvaluationRecord, list[list[Variant]]]] = {}
    for cell in cells:
        folder = study_state.root.run(cell.run.run_id)
        folder.path.mkdir(parents=True, exist_ok=True)
        level = 0.8 + draw.gauss(0, 0.01)
        run = _run(cell.run, level)
        if cell.phase != "base":
            write_lines(folder.steps, _steps(level))
        if cell.phase != "tune":
            name = cell.dataset.name
            if name not in evaluations:
                evaluations[name] = _evaluation(study_state, cell, run, draw)
            record, rows = evaluations[name]
            chosen = [draw.choice(variants) for variants in rows]
            _write(folder.outcomes(record.digest), "".join(outcome for outcome, _ in chosen))
            _write(folder.statistics(record.digest), "".join(statistics for _, statistics in chosen))
            _write(folder.evaluation(record.digest), _dumped(record.model_copy(update={"run": run})))
        write_text(folder.spec, config.dump_yaml(cell.run.model_dump(mode="json")))
        _write(folder.record, _dumped(run))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _dumped(record: Any) -> str:
    return json.dumps(record.model_dump(mode="json"), indent=1) + "\n"


def _run(spec: RunSpec, level: float) -> RunRecord:
    trained = not spec.is_base
    return RunRecord(
        run_id=spec.run_id,
        spec=spec,
        status="finished",
        validation_bits_per_byte=level if trained else None,
        data=DataCounts(
            documents=180,
            left_out_too_long=0,
            tokens=40_000,
            padding_share=0.02,
            stream_hash=f"stream-{spec.seed}",
            end_labels=1.0,
        )
        if trained
        else None,
        costs=Costs(
            load_seconds=3.0,
            train_seconds=100 * level,
            steps=STEPS,
            supervised_tokens_per_second=400.0,
            peak_memory_bytes=2_000_000_000,
            trainable_parameters=4_000_000,
            total_parameters=134_000_000,
            artifact_bytes=19_000_000,
        ),
        precision="bf16 compute, fp32 masters",
        environment={"device": "made up", "cores": 2, "versions": {"torch": "2.13.0"}},
    )


def _steps(level: float) -> list[Step]:
    lines = []
    for step in range(STEPS + 1):
        about: dict[str, Any] = {
            "step": step,
            "epoch": step / STEPS,
            "seconds": 1.7 * step,
            "tokens": 700 * step,
        }
        if step:
            lines.append(Step(**about, loss=level + 2 / step, learning_rate=1e-4, gradient_norm=1.0))
        if step % (STEPS // 4) == 0:
            bits = level + 0.3 * (1 - step / STEPS)
            lines.append(Step(**about, validation_nll=2.5 * bits, validation_bits_per_byte=bits))
    return lines


def _evaluation(
    study_state: StudyState, cell: CellSpec, run: RunRecord, draw: random.Random
) -> tuple[EvaluationRecord, list[list[Variant]]]:
    """A record, and for each test document its variants as lines."""
    prepared, form, spec = study_state.prepared(cell.dataset), cell.dataset.format, study_state.study.evaluate
    texts = list(prepared.test)
    (context,) = contexts_of(spec, form, list(prepared.train))
    by_variant: list[list[Variant]] = []
    values: dict[str, Any] = {}
    for _ in range(VARIANTS):
        outcomes = [_outcome(text, draw.choice(texts), study_state.study, draw) for text in texts]
        values, rows = measure_all(outcomes, context, all_metrics())
        statistics = document_statistics(outcomes, [context], [rows], prepared.clusters)
        by_variant.append([(_line(o), _line(s)) for o, s in zip(outcomes, statistics, strict=True)])
    record = EvaluationRecord(
        digest=evaluation_digest(spec, prepared.fingerprints["test"], form),
        spec=spec,
        test=prepared.fingerprints["test"],
        format=form.name,
        metrics=values,
        anchors={"references": values, "unrelated": values},
        seconds={"likelihood": 9.0, "generation": 100.0, "metrics": 0.4},
        run=run,
    )
    return record, [list(variants) for variants in zip(*by_variant, strict=True)]


def _line(record: Record) -> str:
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=False) + "\n"


def _outcome(text: str, other: str, study: StudySpec, draw: random.Random) -> Outcome:
    first, _, rest = other.partition("\n")
    return Outcome(
        document_id=document_id(text),
        title=first,
        reference=text,
        likelihood={
            part: Likelihood(nll=draw.gammavariate(20, 5), tokens=draw.randint(20, 60), bytes=200)
            for part in ("title", "ingredients", "directions", "scaffold")
        },
        generations=tuple(
            Generation(
                prompt_mode=mode,
                decoding=decoding.name,
                prompt=text.partition("\n")[0] + "\n",
                text=rest,
                tokens=100,
                ended="end_of_text",
            )
            for mode in study.evaluate.prompts
            for decoding in study.evaluate.decodings
        ),
    )
