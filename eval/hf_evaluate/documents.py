"""What stands behind the `evaluate` module: documents in, one of our metrics out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from eval.foreign.inputs import endings_of, format_named
from eval.foreign.outcomes import PLAIN, outcome_of, require_defined, require_endings, require_train
from eval.metrics import Context, all_metrics, measure, metric
from toolkit.errors import UserError, unknown_name

DESCRIPTION = """{title}: {about}

Args:
    predictions: whole documents as a reader sees them, prompt and continuation; or, with references,
        continuations alone, which have no marker of the first section.
    references: the documents that should have been written; structure needs none.
    format: a name in the catalog's formats.
    prompt_mode: the last section that the prompts hold; the first section of the format when absent.
    stopped: for each prediction, whether the model ended it by itself, which `stop_rate` needs; all did when
        absent.
    train: training documents, for the metrics that look for copies.
Returns:
    `{name}`, None where it is not defined; `{name}_signature`; `{name}_details`.
"""


class DocumentMetric(evaluate.Metric):  # type: ignore[misc]
    """One of our metrics behind `evaluate`'s interface; the configuration's name says which."""

    @property
    def metric_name(self) -> str:
        """The name of the metric. UserError if there is none of that name that looks at documents alone."""
        offered = [n for n, item in all_metrics().items() if item.of_generations and item.defined_on(PLAIN)]
        if self.config_name not in offered:
            raise unknown_name("metric", str(self.config_name), offered)
        return str(self.config_name)

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Add one document, as `add_batch` adds several."""
        references = None if reference is None else [reference]
        self.add_batch(predictions=[prediction], references=references, **kwargs)

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Add a batch as `evaluate` does; metrics that look at the written text alone need no references."""
        if references is None and predictions is not None:
            if metric(self.metric_name).needs_references:
                raise UserError(f"{self.metric_name} needs references, and none are given")
            references = [""] * len(predictions)
        super().add_batch(predictions=predictions, references=references, **kwargs)

    def _info(self) -> evaluate.MetricInfo:
        item = metric(self.metric_name)
        about = (type(item).__doc__ or "").strip()
        return evaluate.MetricInfo(
            description=DESCRIPTION.format(title=item.label, about=about, name=item.name),
            citation="",
            inputs_description="",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        format: str = "recipe",  # noqa: A002 - the word users know it by
        prompt_mode: str | None = None,
        stopped: Sequence[bool] | None = None,
        train: Sequence[str] = (),
    ) -> dict[str, Any]:
        form, item = format_named(format), metric(self.metric_name)
        require_defined(item, form)
        require_endings(item, stopped=stopped)
        require_train(item, train)
        mode = prompt_mode or form.sections[0].name
        (ended,) = endings_of(stopped, [predictions], "stopped")
        context = Context(form=form, train=train, prompt_mode=mode)
        outcomes = [
            outcome_of(text, reference, ended=stop, context=context)
            for text, reference, stop in zip(predictions, references, ended, strict=True)
        ]
        value, _ = measure(item, outcomes, context)
        return {
            self.metric_name: value.value,
            f"{self.metric_name}_signature": value.signature,
            f"{self.metric_name}_details": value.details,
        }
