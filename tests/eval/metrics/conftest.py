"""A format, its context, and outcomes made by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eval.metrics import Context
from tests.factories import RECIPE as FORM
from toolkit.data.format import document_id, prompt
from toolkit.records import Generation, Likelihood, Outcome

Make = Callable[..., Outcome]


@pytest.fixture
def context() -> Context:
    """The recipe format, scored from the title."""
    return Context(form=FORM, prompt_mode="title", decoding="greedy")


@pytest.fixture
def text() -> Callable[..., str]:
    """A rendered recipe from its three bodies."""

    def build(
        title: str = "Plain omelette",
        ingredients: str = "2 eggs, 1 pinch salt",
        directions: str = "Beat the eggs with the salt and fry them in a hot pan.",
    ) -> str:
        return f"RECIPE: {title}\nINGREDIENTS: {ingredients}\nDIRECTIONS: {directions}\n[END]"

    return build


@pytest.fixture
def outcome() -> Make:
    """An outcome on a reference: what was written after the title, and likelihoods by part."""

    def build(
        reference: str,
        written: str | None = None,
        *,
        ended: str = "end_of_text",
        likelihood: dict[str, tuple[float, int, int]] | None = None,
        mode: str = "title",
    ) -> Outcome:
        start = prompt(reference, FORM, mode)
        generations = ()
        if written is not None:
            made = Generation(
                prompt_mode=mode, decoding="greedy", prompt=start, text=written, tokens=9, ended=ended
            )
            generations = (made,)
        parts = likelihood and {
            name: Likelihood(nll=nll, tokens=tokens, bytes=size)
            for name, (nll, tokens, size) in likelihood.items()
        }
        return Outcome(
            document_id=document_id(reference),
            title=reference.split("\n")[0].removeprefix("RECIPE: "),
            reference=reference,
            likelihood=parts,
            generations=generations,
        )

    return build
