"""What a run trains and validates on: texts as token ids, in batches, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from toolkit.data import batches as tokens
from toolkit.models import load
from toolkit.records import DataCounts
from toolkit.records.folders import RunFolder
from toolkit.specs import RunSpec
from toolkit.training.monitor import StepTotals
from toolkit.training.validation import Validation


@dataclass(frozen=True)
class Data:
    """What a run trains and validates on."""

    rows: list[list[int]]
    """Token ids of each training document."""
    batches: list[list[int]]
    """Rows of each micro-batch, over all epochs."""
    totals: StepTotals
    counts: DataCounts
    validation: Validation


def prepare_data(
    spec: RunSpec,
    train_texts: Sequence[str],
    validation_texts: Sequence[str],
    end_marker: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: RunFolder,
) -> Data:
    """Turn texts into token ids and batches. Raises UserError for a document beyond the model's context."""
    settings = spec.train
    rows = tokens.encode_once(train_texts, tokenizer, settings.max_length, folder.data)
    lengths = [len(row) for row in rows.ids]
    load.refuse_beyond_context(model, "train.max_length", max(lengths))
    batches = tokens.training_batches(
        lengths, settings.batch_tokens, epochs=settings.epochs, seed=spec.seed, packing=settings.packing
    )
    counts = DataCounts(
        documents=len(rows.ids),
        left_out_too_long=rows.too_long,
        tokens=rows.supervised,
        padding_share=0.0 if settings.packing else tokens.padding_share(lengths, batches),
        stream_hash=tokens.stream_hash(rows.ids, batches),
        end_labels=tokens.end_label_share(rows.ids, tokenizer, end_marker),
    )
    validation = Validation(validation_texts, tokenizer, settings.batch_tokens, settings.validation_precision)
    load.refuse_beyond_context(model, "data.max_characters", validation.longest)
    return Data(rows.ids, batches, StepTotals.of(rows.ids, batches, settings.accumulate), counts, validation)
