"""The model card of a trained model: what it is, how to use it, its results, how it was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tabulate import tabulate

from eval.metrics import held_out
from figures.wording.escaping import code, markdown
from toolkit.data.format import opening
from toolkit.records import EvaluationRecord, MetricValue, RunRecord
from toolkit.specs import AnyFormat, Conversation, ModelSpec

CARD = "README.md"
HUB_LICENSES = ("apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "gemma", "openrail")
"""Those that the Hub knows by this name; another one is named in words."""


def card(evaluation: EvaluationRecord, artifact: Path, repository: str) -> str:
    """Return the model card of a run as Markdown with the Hub's metadata on top.

    ``artifact`` is the folder of the saved model, for the tokens that its tokenizer adds; ``repository`` is
    `owner/name`, for the usage example.
    """
    from huggingface_hub import ModelCard, ModelCardData

    run = evaluation.run
    spec, dataset = run.spec, run.spec.dataset
    if spec.is_base or dataset is None:
        raise ValueError("the untouched base has no card")
    about_held_out = held_out(evaluation.metrics).items()
    measured = {name: value for name, value in about_held_out if value.value is not None}
    license_ = (spec.model.license or "").lower()
    known = license_ in HUB_LICENSES
    data = ModelCardData(
        model_name=run.run_id,
        base_model=spec.model.hub or spec.model.published_as,
        datasets=dataset.hub,
        library_name="peft" if spec.method.peft else "transformers",
        license=license_ if known else "other" if license_ else None,
        license_name=None if known or not license_ else spec.model.license,
        pipeline_tag="text-generation",
        tags=["bakeoff", spec.method.name],
        eval_results=_eval_results(evaluation, measured),
    )
    sections = [_opening(run), _usage(run, artifact, repository), _results(evaluation, measured)]
    body = "\n\n".join([*sections, _training(run)])
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def _eval_results(evaluation: EvaluationRecord, measured: dict[str, MetricValue]) -> list[Any]:
    """Return entries of the Hub's model-index.

    The Hub merges entries of one data set and keeps the first one's name, so how many documents a metric
    rests on is part of the metric's own arguments.
    """
    from huggingface_hub import EvalResult

    dataset = evaluation.run.spec.dataset
    return [
        EvalResult(
            task_type="text-generation",
            task_name="text generation",
            dataset_type=dataset.hub or dataset.name,
            dataset_name=f"{dataset.name}, held-out documents",
            dataset_split="test",
            metric_type=name,
            metric_name=f"{name} ({value.unit}, n = {value.documents})",
            metric_value=value.value,
            metric_args={"n": value.documents, "signature": value.signature},
        )
        for name, value in measured.items()
        if dataset is not None
    ]


def _usage(run: RunRecord, artifact: Path, repository: str) -> str:
    """Return a usage example: how to load the model, and the prompt that it was trained on."""
    spec, dataset = run.spec, run.spec.dataset
    assert dataset is not None  # noqa: S101 - card() has made sure
    loader = "AutoPeftModelForCausalLM" if spec.method.peft else "AutoModelForCausalLM"
    imports = (
        f"from peft import {loader}\nfrom transformers import AutoTokenizer\n\n"
        if spec.method.peft
        else f"from transformers import {loader}, AutoTokenizer\n\n"
    )
    load = (
        f"## Usage\n\n```python\n{imports}"
        f'tokenizer = AutoTokenizer.from_pretrained("{repository}")\n'
        f'model = {loader}.from_pretrained("{repository}")\n'
    )
    own_base = "" if spec.model.hub or spec.model.published_as or not spec.method.peft else _OWN_BASE
    return load + _prompting(dataset.format, _prefix_token(artifact)) + own_base


def _prompting(form: AnyFormat, prefix: str) -> str:
    """Return the rest of the usage example: how the model is prompted, and what it writes."""
    if isinstance(form, Conversation):
        return (
            'messages = [{"role": "user", "content": "Which flour is best for bread?"}]\n'
            "inputs = tokenizer.apply_chat_template(\n"
            '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"\n'
            ")\n"
            "output = model.generate(**inputs, max_new_tokens=300, do_sample=True, top_p=0.9)\n"
            "print(tokenizer.decode(output[0]))\n"
            "```\n\n"
            "Prompts go through the tokenizer's chat template, which is the one of the training."
        )
    prompt, first = opening(form, "Banana Bread"), form.sections[0]
    text = f"{prefix}{prompt}" if prefix else prompt
    others = ", ".join(code(section.marker) for section in form.sections[1:])
    why = f"The prefix token {code(prefix)} comes first: the tokenizer does not add it. " if prefix else ""
    return (
        f"prompt = {json.dumps(text, ensure_ascii=False)}\n"
        'inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)\n'
        "output = model.generate(**inputs, max_new_tokens=300, do_sample=True, top_p=0.9)\n"
        "print(tokenizer.decode(output[0]))\n"
        "```\n\n"
        f"A prompt is the marker {code(first.marker)}, a space, the {markdown(first.name)}, and a line "
        f"break. {why}The model writes the other sections ({others}), {code(form.end)} and its "
        "end-of-text token."
    )


_OWN_BASE = (
    "\n\nThe base model is not on the Hub: load it from its own files, and put the adapter on it with "
    "`PeftModel.from_pretrained(base, …)`."
)


def base_name(model: ModelSpec) -> str:
    """Return what others find a base by: its Hub id, or that of the same weights, or else its name."""
    return model.hub or model.published_as or model.name


def _prefix_token(artifact: Path) -> str:
    """Return the token that every training text began with: begin-of-text, else end-of-text; else ''."""
    try:
        value = json.loads((artifact / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    token = value.get("bos_token") or value.get("eos_token") or ""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)


def _opening(run: RunRecord) -> str:
    spec, dataset = run.spec, run.spec.dataset
    assert dataset is not None  # noqa: S101 - card() has made sure
    what = (
        f"an adapter ({markdown(spec.method.peft['peft_type'])})"
        if spec.method.peft
        else "all that was trained"
    )
    origin = (
        f"[{markdown(spec.model.name)}](https://huggingface.co/{quote(spec.model.hub)})"
        if spec.model.hub
        else markdown(spec.model.name)
    )
    licences = "; ".join(
        f"{markdown(name)}: {markdown(given)}"
        for name, given in ((spec.model.name, spec.model.license), (dataset.name, dataset.license))
        if given
    )
    documents = run.data.documents if run.data else 0
    return "\n\n".join(
        [
            f"# {markdown(run.run_id)}",
            f"{origin}, fine-tuned with the method {code(spec.method.name)} on {documents:,} documents of "
            f"{markdown(dataset.name)}. This repository holds {what}, and the tokenizer.",
            *([f"Licences. {licences}."] if licences else []),
        ]
    )


def _results(evaluation: EvaluationRecord, measured: dict[str, MetricValue]) -> str:
    rows = [
        [
            markdown(name),
            f"{value.value:.4g}",
            markdown(value.unit),
            value.documents,
            {"lower": "lower", "higher": "higher"}.get(value.direction, ""),
        ]
        for name, value in measured.items()
    ]
    table = tabulate(
        rows, ["metric", "value", "unit", "n", "better"], tablefmt="github", disable_numparse=True
    )
    signatures = "\n".join(f"- {markdown(name)}: {code(value.signature)}" for name, value in measured.items())
    documents = max((value.documents for value in measured.values()), default=0)
    precision = evaluation.spec.model_dump().get("likelihood_precision")
    computed = f" Likelihoods are computed in {precision}." if precision else ""
    return (
        f"## Results\n\nOn {documents} held-out documents (test split {code(evaluation.test)}), one seed; "
        f"a comparison of methods needs several, and their intervals.{computed}\n\n"
        f"{table}\n\nEvery choice that changes a number:\n\n{signatures}"
    )


def _training(run: RunRecord) -> str:
    spec, costs = run.spec, run.costs
    rows: list[tuple[str, Any]] = [
        ("learning rate", spec.learning_rate),
        ("seed", spec.seed),
        ("epochs", spec.train.epochs),
        ("tokens per batch", spec.train.batch_tokens * spec.train.accumulate),
        ("steps", costs.steps),
        ("training precision", run.precision),
        ("trainable parameters", costs.trainable_parameters and f"{costs.trainable_parameters:,}"),
        ("training seconds", costs.train_seconds and f"{costs.train_seconds:.0f}"),
        ("peak memory", costs.peak_memory_bytes and f"{costs.peak_memory_bytes / 1e9:.1f} GB"),
        ("device", run.environment.get("device")),
        *((name, version) for name, version in run.environment.get("versions", {}).items()),
    ]
    table = tabulate(
        [(markdown(name), markdown(value)) for name, value in rows if value is not None],
        ["", ""],
        tablefmt="github",
        disable_numparse=True,
    )
    return f"## Training\n\n{table}"
