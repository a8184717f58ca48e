"""Semantic similarity: cosine of sentence embeddings of what was written and of the reference."""

from __future__ import annotations

from eval.metrics.base import Context, RatioMetric
from eval.metrics.reference.embeddings import PACKAGE, SIGNATURE, similarity
from eval.metrics.texts import SIGNATURE as TEXT
from eval.metrics.texts import pair
from toolkit.records import Outcome


class SemanticSimilarity(RatioMetric):
    """Mean over documents; an empty text counts 0. Unrelated recipes are alike too: see the floor."""

    name = "semantic_similarity"
    label = "semantic similarity"
    unit = "cosine"
    lowest, highest = -1.0, 1.0
    direction = "higher"
    signature = f"{SIGNATURE}|{TEXT}"
    margin = 0.02
    needs = PACKAGE

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Cosine, 1; None without a generation or a reference."""
        texts = pair(outcome, context)
        return None if texts is None else (similarity(texts, context), 1.0)


METRIC = SemanticSimilarity()
