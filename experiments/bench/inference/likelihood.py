"""`bakeoff bench likelihood`: tokens scored a second, against a perplexity loop as `evaluate` has it."""

from __future__ import annotations

import json
import sys
from typing import Any

from experiments.bench.inference.rounding import rounding
from experiments.bench.sides import BASE, held_out, in_a_process, median_seconds
from experiments.bench.synthetic.shapes import base_folder, model_at
from toolkit import config
from toolkit.models.precision import resolve_precision
from toolkit.runtime import machine

BATCH = 16
EXACT = 16
"""Documents whose fp32 likelihoods are compared with those of the loop, its fp32 logits taken to fp64."""
Scores = list[float]


def bench(
    base: str = BASE, documents: int = 48, repeats: int = 3, *, trained: bool = False
) -> dict[str, Any]:
    """Time both on the same documents, and compare what they find.

    The loop: sixteen texts a batch in the order given, padded to the longest, fp32, the logits of the whole
    batch, cross-entropy by token. Our peak memory is measured on all documents and on a quarter of them.
    Differences in fp32 are from the loop with its logits in fp64, because PyTorch's cross-entropy over a
    transposed vocabulary is itself some 1e-5 off; the difference is reported too. ``trained``: also compare
    bf16 with fp32 on what a few steps of training leave.
    """
    texts = held_out(documents)
    with base_folder(base) as folder:
        settings = {"base": str(folder), "texts": texts, "repeats": repeats}
        baseline = in_a_process(__name__, "baseline", settings)
        ours = in_a_process(__name__, "ours", settings)
        exact = in_a_process(__name__, "ours", {**settings, "precision": "fp32"})
        fewer = {**settings, "texts": texts[: max(1, len(texts) // 4)], "repeats": 1}
        quarter = in_a_process(__name__, "ours", fewer)
        rounded = {"bf16_rounding": rounding(folder, texts)} if trained else {}
    whole, in_fp64 = baseline["nll"], baseline["exact_nll"]
    return {
        "name": "likelihood",
        "ratio": round(baseline["seconds"] / ours["seconds"], 2),
        "baseline": round(baseline["tokens"] / baseline["seconds"], 1),
        "ours": round(baseline["tokens"] / ours["seconds"], 1),
        "ours_fp32": round(baseline["tokens"] / exact["seconds"], 1),
        "unit": "tokens per second",
        "base_model": base,
        "documents": len(texts),
        "tokens": baseline["tokens"],
        "repeats": repeats,
        "precision": ours["precision"],
        "nll_difference": {
            ours["precision"]: _apart(ours["nll"], whole),
            "fp32": _apart(exact["nll"][:EXACT], in_fp64),
            "baseline": _apart(whole[:EXACT], in_fp64),
        },
        "peak_memory_bytes": {
            "baseline": baseline["peak"],
            "ours": ours["peak"],
            "ours_fp32": exact["peak"],
            "ours_quarter_of_the_documents": quarter["peak"],
        },
        **rounded,
        "machine": machine(),
    }


def _apart(ours: Scores, theirs: Scores) -> dict[str, float]:
    """Relative differences: of the sum, which is what perplexity rests on, and the largest of a document."""
    return {
        "whole": abs(sum(ours) / sum(theirs) - 1),
        "largest": max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True)),
    }


def _baseline(settings: dict[str, Any]) -> dict[str, Any]:
    import torch

    from toolkit import runtime
    from toolkit.data.batches import prefix_token
    from toolkit.models import artifact

    model, tokenizer = artifact.load_for_use(model_at(settings["base"]))
    start, pad = prefix_token(tokenizer), tokenizer.eos_token_id
    rows = [[start, *ids] for ids in tokenizer(settings["texts"], add_special_tokens=False).input_ids]

    def score(chosen: list[list[int]], dtype: torch.dtype = torch.float32) -> Scores:
        found: Scores = []
        for first in range(0, len(chosen), BATCH):
            batch = chosen[first : first + BATCH]
            longest = max(map(len, batch))
            ids = torch.tensor([row + [pad] * (longest - len(row)) for row in batch], device=model.device)
            mask = torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in batch], device=model.device)
            with torch.no_grad():
                logits = model(ids, attention_mask=mask).logits
            losses = torch.nn.functional.cross_entropy(
                logits[:, :-1].transpose(1, 2).to(dtype), ids[:, 1:], reduction="none"
            )
            found += (losses * mask[:, 1:]).sum(dim=1).tolist()
        return found

    score(rows[:BATCH])
    nll: Scores = []
    seconds = median_seconds(settings["repeats"], lambda: nll.__setitem__(slice(None), score(rows)))
    found = {"tokens": sum(len(row) - 1 for row in rows), "peak": runtime.peak_memory_bytes()}
    return {**found, "seconds": seconds, "nll": nll, "exact_nll": score(rows[:EXACT], torch.float64)}


def _ours(settings: dict[str, Any]) -> dict[str, Any]:
    from eval.inference.likelihood import likelihoods
    from eval.metrics.likelihood.likelihood import STOP
    from toolkit import runtime
    from toolkit.models import artifact

    form = config.document_format("recipe")
    model, tokenizer = artifact.load_for_use(model_at(settings["base"]))
    precision = resolve_precision(settings.get("precision", "auto"))

    def score(texts: list[str]) -> Scores:
        scored = likelihoods(model, tokenizer, texts, form, precision=precision)
        return [sum(part.nll for name, part in parts.items() if name != STOP) for parts in scored]

    score(settings["texts"][:BATCH])
    nll: Scores = []
    seconds = median_seconds(
        settings["repeats"], lambda: nll.__setitem__(slice(None), score(settings["texts"]))
    )
    return {"seconds": seconds, "nll": nll, "peak": runtime.peak_memory_bytes(), "precision": precision}


if __name__ == "__main__":
    sides = {"baseline": _baseline, "ours": _ours}
    print(json.dumps(sides[sys.argv[1]](json.load(sys.stdin))))
