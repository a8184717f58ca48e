"""`bakeoff bench generate`: tokens per second, against the notebook's one prompt at a time."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from experiments.bench.sides import BASE, held_out, in_a_process
from experiments.bench.synthetic.shapes import base_folder, model_at
from toolkit import config
from toolkit.data.format import prompt
from toolkit.models.precision import resolve_precision
from toolkit.runtime import machine
from toolkit.specs import Decoding, EvalSpec

NEW_TOKENS = 140
"""The notebook's texts are at most 150 tokens long, prompt and all."""
SAMPLING = Decoding(temperature=0.8, top_p=0.9)
GREEDY = Decoding(name="greedy", temperature=0)
COMPARED = {"prompts": 8, "tokens": 48}
"""Greedy texts that must be identical, in fp32."""


def bench(
    base: str = BASE, prompts: int = 128, baseline_prompts: int = 12, repeats: int = 3
) -> dict[str, Any]:
    """Time the notebook's `generate_text` on a few prompts, and ours on all of them.

    `generate_text` (stage 1 of the assignment): fp32, one prompt at a time, temperature 0.8, top-p 0.9,
    drawn by transformers. Its rate is the median over the prompts, ours the median over ``repeats`` batches.
    """
    form = config.document_format("recipe")
    titles = [prompt(text, form, form.sections[0].name) for text in held_out(prompts)]
    step = max(1, len(titles) // baseline_prompts)
    few = titles[::step][:baseline_prompts]
    with base_folder(base) as folder:
        common = {"base": str(folder), "compared": titles[: COMPARED["prompts"]]}
        baseline = in_a_process(__name__, "baseline", {**common, "prompts": few})
        ours = in_a_process(__name__, "ours", {**common, "prompts": titles, "repeats": repeats})
    pairs = zip(baseline["greedy"], ours["greedy"], strict=True)
    return {
        "name": "generate",
        "ratio": round(ours["rate"] / baseline["rate"], 1),
        "baseline": round(baseline["rate"], 1),
        "ours": round(ours["rate"], 1),
        "unit": "tokens per second; baseline: one prompt at a time in fp32, ours: all prompts",
        "base_model": base,
        "prompts": len(titles),
        "baseline_prompts": len(few),
        "repeats": repeats,
        "precision": ours["precision"],
        "identical_greedy_texts": f"{sum(a == b for a, b in pairs)} of {len(ours['greedy'])} in fp32",
        "peak_memory_bytes": {"baseline": baseline["peak"], "ours": ours["peak"]},
        "machine": machine(),
    }


def _baseline(settings: dict[str, Any]) -> dict[str, Any]:
    import torch

    from toolkit import runtime
    from toolkit.data.batches import prefix_token
    from toolkit.models import artifact

    model, tokenizer = artifact.load_for_use(model_at(settings["base"]))
    torch.manual_seed(0)

    def write(text: str, **options: Any) -> list[int]:
        ids = [prefix_token(tokenizer), *tokenizer(text, add_special_tokens=False).input_ids]
        fed = torch.tensor([ids], device=model.device)
        with torch.no_grad():
            written = model.generate(
                fed,
                attention_mask=torch.ones_like(fed),
                pad_token_id=tokenizer.eos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                **options,
            )
        ids_written: list[int] = written[0, len(ids) :].tolist()
        return ids_written

    sampling = {"do_sample": True, "temperature": SAMPLING.temperature, "top_p": SAMPLING.top_p, "top_k": 0}
    write(settings["prompts"][0], max_new_tokens=8, **sampling)
    rates = []
    for text in settings["prompts"]:
        began = time.perf_counter()
        count = len(write(text, max_new_tokens=NEW_TOKENS, **sampling))
        rates.append(count / (time.perf_counter() - began))
    peak = runtime.peak_memory_bytes()
    greedy = [
        write(text, max_new_tokens=COMPARED["tokens"], do_sample=False) for text in settings["compared"]
    ]
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in greedy]
    return {"rate": statistics.median(rates), "greedy": texts, "peak": peak}


def _ours(settings: dict[str, Any]) -> dict[str, Any]:
    from eval.inference.generation import generate
    from toolkit import runtime
    from toolkit.models import artifact

    model, tokenizer = artifact.load_for_use(model_at(settings["base"]))
    precision = resolve_precision("auto")
    few = EvalSpec(max_new_tokens=COMPARED["tokens"])
    greedy = [g.text for g in generate(model, tokenizer, settings["compared"], "title", GREEDY, few)]
    artifact.for_generation(model, precision)
    generate(model, tokenizer, settings["prompts"], "title", SAMPLING, EvalSpec(max_new_tokens=8))
    rates = []
    for seed in range(settings["repeats"]):
        began = time.perf_counter()
        written = generate(
            model,
            tokenizer,
            settings["prompts"],
            "title",
            SAMPLING,
            EvalSpec(max_new_tokens=NEW_TOKENS, seed=seed),
        )
        seconds = time.perf_counter() - began
        rates.append(sum(g.tokens + (g.ended == "end_of_text") for g in written) / seconds)
    return {
        "rate": statistics.median(rates),
        "greedy": greedy,
        "peak": runtime.peak_memory_bytes(),
        "precision": precision,
    }


if __name__ == "__main__":
    sides = {"baseline": _baseline, "ours": _ours}
    print(json.dumps(sides[sys.argv[1]](json.load(sys.stdin))))
