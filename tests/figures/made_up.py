"""Runs and evaluations with made-up numbers, through the record classes."""

from __future__ import annotations

import random
from typing import Any

from toolkit import config
from toolkit import records as r
from toolkit.records import data as d
from toolkit.specs import DataSpec, EvalSpec, MethodSpec, ModelSpec, RunSpec, TrainSpec

BASE = "smollm2-135m-embedded"
DATASET = "wikibooks"
DATA = {"name": DATASET, "package": "recipes==1", "license": "CC BY-SA 4.0"}
DOCUMENTS = 40
DECODING = "t0.8-p0.9"
MODES = ("title", "ingredients")
CHECKS = (
    "ingredients present",
    "directions present",
    "ingredients once",
    "in order",
    "end present",
    "stopped by itself",
)
LEVEL = {"base": 1.131, "full": 0.842, "lora-r16": 0.851, "dora-r16": 0.849, "ia3": 0.93}
BLEU = {"base": 1.9, "full": 6.1, "lora-r16": 5.4, "dora-r16": 5.6, "ia3": 3.3}
PASSED = {"base": 0.0, "full": 0.55, "lora-r16": 0.45, "dora-r16": 0.5, "ia3": 0.1}
LABELS = {
    "bits_per_byte": "bits per byte",
    "perplexity": "perplexity",
    "bleu": "BLEU",
    "structure_compliance": "structure compliance",
    "structure_partial": "structure checks passed",
    "general_bits_per_byte": "bits per byte of general text, as a long name",
}
UNITS = {
    "bits_per_byte": ("bits per byte", "lower", 0.0085, 0.02),
    "perplexity": ("perplexity", "lower", 0.1, 0.3),
    "bleu": ("BLEU", "higher", 1.0, 1.3),
    "structure_compliance": ("share", "higher", 0.02, 0.15),
    "structure_partial": ("share", "higher", 0.02, 0.05),
}
EXTRA = {
    "self_bleu": ("BLEU", "neither", 1.0, 2.0),
    "longest_copy": ("words", "lower", 1.0, 0.6),
    "general_bits_per_byte": ("bits per byte", "lower", 0.01, 0.015),
}
"""Metrics without a verdict, in studies that ask for them; their anchors lie close to each other."""
ADAPTERS: dict[str, MethodSpec] = {
    "lora-r16": MethodSpec(name="lora-r16", peft={"peft_type": "LORA", "r": 16}),
    "dora-r16": MethodSpec(name="dora-r16", peft={"peft_type": "LORA", "r": 16, "use_dora": True}),
    "ia3": MethodSpec(name="ia3", peft={"peft_type": "IA3"}),
    "full": MethodSpec(name="full", trainable=("*",)),
    "base": MethodSpec(name="base", trainable=()),
}


def spread(method: str) -> float:
    """A number from 0 to 1 that follows from a method's name, for methods without made-up levels."""
    return random.Random(method).random()


def adapter(method: str) -> MethodSpec:
    """The method of that name: a LoRA unless it is listed above."""
    return ADAPTERS.get(method) or MethodSpec(name=method, peft={"peft_type": "LORA", "r": 8})


RECIPE = (
    "RECIPE: Dish {i}\nINGREDIENTS: 2 eggs, flour & salt\nDIRECTIONS: Whisk <gently>. Bake 20 minutes.\n[END]"
)


def metric(name: str, value: float | None, **details: float | None) -> r.MetricValue:
    """One metric value, with the unit and direction of its name."""
    unit, direction, _, _ = {**UNITS, **EXTRA}[name]
    return r.MetricValue(
        value=value,
        documents=DOCUMENTS,
        label=LABELS.get(name),
        unit=unit,
        direction=direction,
        signature=f"{name}|v1|weighting:token",
        details=details,
    )


def level(name: str, method: str, seed: int) -> float:
    """The made-up truth of a method, moved by a draw that follows from its name and seed."""
    noise = random.Random(f"{method}{seed}").gauss(0, 1)
    at = spread(method)
    bits = LEVEL.get(method, 0.83 + 0.1 * at) + 0.006 * noise
    passed = PASSED.get(method, 0.6 - 0.5 * at)
    return {
        "bits_per_byte": bits,
        "perplexity": 2 ** (3.6 * bits),
        "bleu": BLEU.get(method, 6 - 3 * at) + 0.4 * noise,
        "structure_compliance": min(1.0, max(0.0, passed + 0.04 * noise)),
        "structure_partial": min(1.0, 0.35 + passed + 0.02 * noise),
        "self_bleu": 11 + 4 * at + noise,
        "longest_copy": 6.5 + 2 * at + 0.2 * noise,
        "general_bits_per_byte": 1.02 + 0.05 * at * (method != "base") + 0.002 * noise,
    }[name]


def run_record(method: str, seed: int, rate: float | None, device: str) -> r.RunRecord:
    """A finished run."""
    trained = method != "base"
    light = method not in ("full", "base")
    spec = RunSpec(
        model=ModelSpec(name=BASE, hub="HuggingFaceTB/SmolLM2-135M-Instruct", license="Apache-2.0"),
        dataset=config.dataset(DATA) if trained else None,
        data=DataSpec(train=200, validation=40, test=DOCUMENTS) if trained else None,
        method=adapter(method),
        learning_rate=rate,
        train=TrainSpec(),
        seed=seed,
        fingerprints={"train": "aaaa", "validation": "bbbb"} if trained else {},
    )
    costs = r.Costs(
        load_seconds=4.0,
        train_seconds=126.0 + seed - 9 * light,
        validate_seconds=20.0,
        steps=48,
        supervised_tokens_per_second=330.0 + 20 * light,
        peak_memory_bytes=3_900_000_000 - 1_700_000_000 * light + 20_000_000 * seed,
        optimizer_state_bytes=1_076_000_000 if not light else 39_000_000,
        trainable_parameters=134_515_008
        if not light
        else 4_884_480
        if method in ADAPTERS
        else int(1e6 * (3 + 4 * spread(method))),
        total_parameters=134_515_008,
        artifact_bytes=538_000_000 if not light else 19_500_000,
    )
    counts = r.DataCounts(
        documents=199,
        left_out_too_long=1,
        tokens=43_000,
        padding_share=0.06,
        stream_hash="c0ffee",
        end_labels=1.0,
    )
    return r.RunRecord(
        run_id=spec.run_id,
        spec=spec,
        status="finished",
        validation_bits_per_byte=level("bits_per_byte", method, 0) + 0.001 * seed if trained else None,
        data=counts if trained else None,
        costs=costs if trained else r.Costs(load_seconds=4.0, total_parameters=134_515_008),
        precision="bf16 compute, fp32 masters",
        environment={"device": device, "cores": 2, "versions": {"torch": "2.13.0", "peft": "0.21.2"}},
    )


def steps(method: str, seed: int) -> list[r.Step]:
    """Twelve training steps with a validation before the first and after every third."""
    lines = []
    for step in range(13):
        tokens = 3_580 * step + 7 * seed
        fall = (LEVEL["base"] - level("bits_per_byte", method, 0) - 0.004 * seed) * (1 - 0.72**step)
        seconds = 10.2 * step - 0.8 * step * (method != "full")
        about: dict[str, Any] = {"step": step, "epoch": step / 12, "seconds": seconds, "tokens": tokens}
        if step:
            lines.append(r.Step(**about, loss=2.9 - 2.5 * fall, learning_rate=1e-4, gradient_norm=1.1))
        if step % 3 == 0:
            value = LEVEL["base"] - fall
            lines.append(r.Step(**about, validation_nll=2.5 * value, validation_bits_per_byte=value))
    return lines


def outcomes(method: str) -> list[r.Outcome]:
    """One generation a document: the base rambles, the others write a recipe."""
    lines = []
    for i in range(DOCUMENTS):
        prompt, body = RECIPE.format(i=i).split("\n", 1)
        wrote = "I like <b>dishes</b> | a lot" if method == "base" else f"{body}\n```by {method}```"
        text = r.Generation(
            prompt_mode="title",
            decoding=DECODING,
            prompt=prompt + "\n",
            text=wrote,
            tokens=60,
            ended="limit" if method == "base" else "end_of_text",
        )
        reference = RECIPE.format(i=i)
        lines.append(
            r.Outcome(document_id=f"{i:016x}", title=f"Dish {i}", reference=reference, generations=(text,))
        )
    return lines


def evaluation(
    run: r.RunRecord, method: str, seed: int, test: str, extra: bool = False
) -> r.EvaluationRecord:
    """An evaluated run; its numbers follow from method and seed."""
    values = {name: level(name, method, seed) for name in (*UNITS, *(EXTRA if extra else ()))}
    failing = {
        f"failed: {c}": round(DOCUMENTS * (1 - PASSED.get(method, 0.4)) * k / 7)
        for k, c in enumerate(CHECKS, 1)
    }
    parts = {
        "title": 1.5,
        "ingredients": 1.05,
        "directions": 0.95,
        "scaffold": 0.1 + values["bits_per_byte"] / 4,
    }
    metrics = {name: metric(name, value) for name, value in values.items()}
    metrics["structure_partial"] = metric("structure_partial", values["structure_partial"], **failing)
    sections = {part: share * values["bits_per_byte"] for part, share in parts.items()}
    metrics["bits_per_byte"] = metric("bits_per_byte", values["bits_per_byte"], **sections)
    anchors = {
        "references": {
            "bleu": metric("bleu", 100.0),
            "structure_compliance": metric("structure_compliance", 1.0),
        },
        "unrelated": {"bleu": metric("bleu", 1.2)},
    }
    if extra:
        for anchor, shift in (("references", 0.0), ("unrelated", 0.3), ("same_title", 0.7)):
            near = {"self_bleu": 12 + shift, "longest_copy": 7 + shift / 5}
            more = {name: metric(name, value) for name, value in near.items()}
            anchors[anchor] = {**anchors.get(anchor, {}), **more}
    return r.EvaluationRecord(
        digest="e0e0e0",
        spec=EvalSpec(),
        test=test,
        format="recipe",
        metrics=metrics,
        anchors=anchors,
        seconds={"likelihood": 9.0, "generation": 100.0, "metrics": 0.4},
        run=run,
    )


def setting_estimates(methods: tuple[str, ...], decodings: tuple[str, ...]) -> tuple[r.SettingEstimate, ...]:
    """BLEU of every method from both prompts, half a point less with every decoding."""
    shared = {"base_model": BASE, "dataset": DATASET, "metric": "bleu", "unit": "BLEU", "seeds": 1}
    shared |= {"documents": DOCUMENTS, "label": "BLEU", "speaks_about": "checkpoints"}
    return tuple(
        r.SettingEstimate(
            **shared, method=method, prompt_mode=mode, decoding=decoding,
            value=BLEU.get(method, 5) - place / 2 + 1,
            low=BLEU.get(method, 5) - place / 2, high=BLEU.get(method, 5) - place / 2 + 2,
        )
        for mode in MODES
        for place, decoding in enumerate(decodings)
        for method in ("base", *methods)
    )  # fmt: skip


def decoding_effects(methods: tuple[str, ...], decodings: tuple[str, ...]) -> tuple[r.DecodingEffect, ...]:
    """Three quarters of BLEU's differences are decoding; self-BLEU is not defined on the documents."""
    shared = {"base_model": BASE, "dataset": DATASET, "methods": methods, "decodings": decodings, "seeds": 1}
    parts = ("share_decodings", "share_methods", "share_both", "share_noise")
    known = {
        "over_decodings": 1.5,
        "over_methods": 0.7,
        **dict(zip(parts, (0.75, 0.15, 0.0, 0.1), strict=True)),
    }
    unknown = dict.fromkeys(("over_decodings", "over_methods", *parts))
    return tuple(
        r.DecodingEffect(
            **shared,
            prompt_mode=mode,
            metric=name,
            unit="BLEU",
            label=label,
            documents=DOCUMENTS,
            **values,
        )
        for mode in MODES
        for name, label, values in (("bleu", "BLEU", known), ("self_bleu", "self-BLEU", unknown))
    )


def failure_counts(cells: list[r.Cell], decodings: tuple[str, ...]) -> list[r.FailureCount]:
    """A quarter of every method's texts loop, half lack a marker; one reference loops."""
    found = []
    for cell in cells:
        for decoding in decodings if cell.eval_digest else ():
            found.append(
                r.FailureCount(
                    base_model=BASE, dataset=DATASET, method=cell.method, seed=cell.seed, prompt_mode="title",
                    decoding=decoding, generations=DOCUMENTS, failing=DOCUMENTS // 2,
                    classes={"missing_marker": DOCUMENTS // 2, "out_of_order": 0, "loop": DOCUMENTS // 4},
                )
            )  # fmt: skip
    human = found[0].model_copy(
        update={
            "method": "references", "decoding": None, "failing": 1,
            "classes": {"missing_marker": 0, "out_of_order": 0, "loop": 1},
        }
    )  # fmt: skip
    return [human, *found]


def failing(cells: list[r.Cell]) -> list[r.FailedGeneration]:
    """The fourth text of every run lacks a marker, the sixth loops as well, in words that are no HTML."""
    return [
        r.FailedGeneration(
            base_model=BASE, dataset=DATASET, method=cell.method, seed=cell.seed, run_id=cell.run_id,
            document_id=f"{place:016x}", title=f"Dish {place}", prompt_mode="title", decoding=DECODING,
            classes={"missing_marker": "lacks [END]", "loop": "“<i>so on</i>” 9 times"} if place == 5
            else {"missing_marker": "lacks [END]"},
        )
        for cell in cells if cell.eval_digest
        for place in (3, 5)
    ]  # fmt: skip


def data_report() -> r.DataReport:
    """The data report of 3,129 rows, 52 of them refused, in splits of 200, 40 and 40."""
    lengths = d.Lengths(mean=400.0, median=400, longest=900, step=200, histogram=(0, 100, 80, 15, 5))
    leak = d.Leak(
        train=200,
        held_out=40,
        shared_titles=0,
        highest=0.2,
        percentiles={"50": 0.05, "90": 0.1, "99": 0.2},
        histogram=(38, 0, 0, 0, 2),
        at_least={"0.5": 0},
        closest=(d.ClosestPair(similarity=0.2, held_out="Pie", train="Cake"),),
        longest_common_words=None,
        longest_common_text=None,
        common_words_at_least={"20": 0},
    )
    refused = {
        "no directions": d.Refusal(count=12, examples=("title: Tea",)),
        "too long": d.Refusal(count=40, examples=()),
    }
    rows = d.RowCounts(total=3129, filtered_out=0, accepted=3077)
    return r.DataReport(
        dataset=DATASET,
        format="recipe",
        license="CC BY-SA 4.0",
        rows=rows,
        refused=refused,
        changed={"HTML removed": 3},
        duplicates=d.Duplicates(
            threshold=0.8, policy="drop", exact=0, near=1, clusters=1, largest_cluster=2, candidate_pairs=5
        ),
        documents=3076,
        sizes=d.Sizes(train=200, validation=40, test=40, excluded=2, unused=2794),
        prompts=d.SplitCounts(train=190, validation=40, test=40),
        sources=(
            d.SourceReport(
                name=DATASET,
                identity={"package": "recipes==1"},
                license="CC BY-SA 4.0",
                format="recipe",
                rows=rows,
                refused=refused,
                changed={"HTML removed": 3},
                sizes=d.SplitCounts(train=200, validation=40, test=40),
            ),
        ),
        characters=dict.fromkeys(d.SPLITS, lengths),
        fingerprints={"train": "aa", "validation": "bb", "test": "cc"},
        leak={"test": leak, "validation": leak},
        samples=tuple(RECIPE.format(i=f"{i} of <many>") for i in range(3)),
    )
