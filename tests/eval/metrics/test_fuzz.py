"""Whatever a model writes, every metric has a value in its range or None."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.metrics import all_metrics, measure

PIECES = st.sampled_from(
    ["RECIPE:", "INGREDIENTS:", "DIRECTIONS:", "[END]", "\n", " ", "2 eggs, salt", "Beat the eggs.", "½", "é"]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join))
HIGHEST = {"share": 1, "F1": 1, "ROUGE-L F1": 1, "BLEU": 100, "chrF": 100}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=st.lists(TEXTS, min_size=1, max_size=3), ended=st.sampled_from(["end_of_text", "limit"]))
def test_every_metric_is_in_range_or_none(written, ended, context, outcome, text):
    """MetricValue refuses NaN; shares lie within 0 and 1, BLEU and chrF within 0 and 100."""
    known = replace(context, train=[text(title="Old dish")])
    items = [outcome(text(title=f"Dish {n}"), each, ended=ended) for n, each in enumerate(written)]
    measured = 0
    for item in all_metrics().values():
        value, rows = measure(item, items, known)
        assert len(rows) == len(items)
        assert value.documents == sum(row is not None for row in rows)
        if value.value is not None:
            measured += 1
            lowest = -1 if item.unit == "cosine" else 0
            assert lowest <= value.value <= HIGHEST.get(item.unit, float("inf")) + 1e-9, item.name
    assert measured >= 8
