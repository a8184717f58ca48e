"""Merge an adapter into its base, and measure how the result differs and what it saves at inference."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from toolkit import runtime
from toolkit.data import batches
from toolkit.data.conversations.template import set_template
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models.without_training.conversions import merge_adapter, require_merging
from toolkit.records import MergeRecord, MergeSide, RunRecord, hashes
from toolkit.records.folders import RunFolder
from toolkit.specs import AnyFormat
from toolkit.training.step.loss import NextToken
from toolkit.training.validation import Validation

NEW_TOKENS = 32
REPEATS = 5


def merge(record: RunRecord, folder: RunFolder, texts: Sequence[str]) -> MergeRecord:
    """Merge a run's adapter into `merged/` and compare the two in fp32 on ``texts``; leaves `merge.json`.

    Raises UserError if there is no adapter, or with peft's message if it cannot be merged.
    """
    spec = record.spec
    if not (folder.artifact / "adapter_config.json").is_file():
        raise UserError(f"{record.run_id}: nothing to merge: the run left no adapter")
    if spec.method.quantization:
        raise UserError(f"{record.run_id}: merging into a quantised base would round the adapter away")
    model, tokenizer = artifact_files.load_run(record, folder)
    require_merging(model, record.run_id)
    if not texts:
        raise UserError("merge: no text to compare on")
    form = spec.dataset.format if spec.dataset else None
    set_template(tokenizer, form)
    adapter, logits = _measure(model, tokenizer, texts, form)
    merged = merge_adapter(model, record.run_id)
    combined, merged_logits = _measure(merged, tokenizer, texts, form)
    hashes.forget(folder.path, folder.merged.name)
    artifact_files.save_artifact(merged, tokenizer, folder.merged)
    hashes.seal(folder.path, (path for path in folder.merged.rglob("*") if path.is_file()))
    result = MergeRecord(
        run_id=record.run_id,
        documents=len(texts),
        adapter=adapter,
        merged=combined,
        logit_difference=(logits - merged_logits).abs().max().item(),
        environment=runtime.environment(),
    )
    result.write(folder.merge, sealed=True)
    return result


def _measure(
    model: Any, tokenizer: Any, texts: Sequence[str], form: AnyFormat | None
) -> tuple[MergeSide, torch.Tensor]:
    """Return a model's measurements, and its logits on the first text: [tokens, vocabulary]."""
    validation = Validation(texts, tokenizer, 1024, "fp32", form=form)
    nll = validation(model, NextToken(model))["eval_nll"]
    row = batches.encode(texts[:1], tokenizer, form=form).ids[0]
    ids = torch.tensor([row], device=next(model.parameters()).device)
    start = ids[:, : max(1, min(16, ids.shape[1] // 2))]

    def generate() -> None:
        model.generate(
            input_ids=start,
            attention_mask=torch.ones_like(start),
            do_sample=False,
            min_new_tokens=NEW_TOKENS,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=tokenizer.eos_token_id,
        )

    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0].float().cpu()
        side = MergeSide(
            perplexity=math.exp(nll),
            forward_seconds=_median(lambda: model(input_ids=ids, use_cache=False)),
            seconds_per_new_token=_median(generate) / NEW_TOKENS,
        )
    return side, logits


def _median(action: Callable[[], Any]) -> float:
    """Return the seconds that an action takes: the median of five, after a warm-up."""
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])
