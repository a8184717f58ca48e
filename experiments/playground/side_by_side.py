"""Base and trained models of a study write for the same title, or answer the same question, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.analysis.conclude import read
from experiments.design.study import name_of
from experiments.playground.runs import Runs, first_runs, format_of, loadable
from toolkit.data.format import opening
from toolkit.errors import UserError
from toolkit.specs import AnyFormat, Conversation, Decoding, EvalSpec, Format

if TYPE_CHECKING:
    from toolkit.data.conversations.template import ChatTemplate


def side_by_side(
    titles: Sequence[str],
    *,
    study: str,
    temperatures: Sequence[float],
    top_p: float,
    max_new_tokens: int,
    seed: int,
    root: Path,
    say: Callable[[str], None],
    trust_remote_code: bool = False,
) -> list[dict[str, Any]]:
    """Return one row per title, temperature and model: `title`, `temperature`, `method`, `text`, `ended`,
    `tokens`.

    In a study of conversations a title is a user's message: it is rendered by the chat template, and the text
    is the answer alone, which ends with the turn. Raises UserError for a bad option, a study without finished
    runs or weights, and a base model that its record may not decide to load.
    """
    cells = first_runs(read(root, name_of(study)), "generate")
    if not all(title.strip() for title in titles):
        raise UserError("generate: a title is empty")
    if max_new_tokens < 1:
        raise UserError(f"generate: --max-new-tokens is at least 1, got {max_new_tokens}")
    decodings = _decodings(temperatures, top_p)
    spec = EvalSpec(max_new_tokens=max_new_tokens, seed=seed)
    runs = loadable(cells, root, "generate", trust_remote_code=trust_remote_code)
    form = _format(runs)

    # torch only from here on: whatever is wrong above is reported at once
    from eval.inference.generation import generate
    from toolkit import runtime
    from toolkit.data.conversations.template import ChatTemplate
    from toolkit.models.artifact import for_generation, load_run

    runtime.quiet_libraries()
    rows = []
    for method, (run, folder) in runs.items():
        say(f"{method}: writing")
        model, tokenizer = load_run(run, folder)
        for_generation(model, run.spec.train.precision)
        template = ChatTemplate(form, tokenizer) if isinstance(form, Conversation) else None
        prompts = [_prompt(title, form, template) for title in titles]
        for decoding in decodings:
            mode = form.sections[0].name
            written = generate(model, tokenizer, prompts, mode, decoding, spec, template=template)
            for title, generation in zip(titles, written, strict=True):
                rows.append(
                    {
                        "title": title,
                        "temperature": decoding.temperature,
                        "method": method,
                        "text": generation.text.strip() if template else generation.document,
                        "ended": generation.ended,
                        "tokens": generation.tokens,
                    }
                )
        del model
        runtime.release()
    return rows


def _decodings(temperatures: Sequence[float], top_p: float) -> list[Decoding]:
    if not all(0 <= t <= 100 for t in temperatures):
        raise UserError("generate: --temperature is 0 (greedy) or above, e.g. --temperature 0.3 0.7 1.0")
    if not 0 < top_p <= 1:
        raise UserError(f"generate: --top-p is above 0 and at most 1, got {top_p}")
    return [Decoding(name=f"t{t:g}", temperature=t, top_p=top_p) for t in temperatures]


def _prompt(title: str, form: AnyFormat, template: ChatTemplate | None) -> str:
    if isinstance(form, Format):
        return opening(form, " ".join(title.split()))
    return template.question(title) if template else title


def _format(runs: Runs) -> AnyFormat:
    """Return the format of the documents that the methods were trained on."""
    document_format = format_of(record for record, _ in runs.values())
    if document_format is None:
        raise UserError("generate: the study has no finished trained run yet; `bakeoff run` it first")
    return document_format
