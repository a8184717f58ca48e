"""Every adapter type that the installed peft registers, through our own training path on two tiny bases.

`python -m tests.toolkit.models.every_adapter` writes docs/methods.md from it; the tests hold the page to it.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from tests.conftest import recipes, save_tiny, tokenizer_of
from tests.factories import small_run
from toolkit import config
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models import methods
from toolkit.records import Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec
from toolkit.training.train import train

PAGE = Path(__file__).parents[3] / "docs" / "methods.md"
BASES = {"gpt2": "GPT-2", "llama": "Llama"}
TRAINS = "trains"
EVERY_LINEAR = {"target_modules": "all-linear"}
PROMPT = {"num_virtual_tokens": 4}
OPTIONS: dict[str, dict[str, Any]] = {
    # Every type gets its least options here: where it sits, and sizes that fit layers 32 wide.
    "ADALORA": {**EVERY_LINEAR, "init_r": 6, "target_r": 4},
    "ADAMSS": {**EVERY_LINEAR, "r": 16, "num_subspaces": 2},
    "ADAPTION_PROMPT": {"adapter_len": 4, "adapter_layers": 2},
    "C3A": {**EVERY_LINEAR, "block_size": 16},
    "CARTRIDGE": PROMPT,
    "CPT": {"cpt_token_ids": [1, 2, 3, 4]},
    "FOURIERFT": {**EVERY_LINEAR, "n_frequency": 64},
    "FROD": {**EVERY_LINEAR, "progressbar": False},
    "IA3": {},
    "LN_TUNING": {},
    "MISS": {**EVERY_LINEAR, "r": 16},
    "MULTITASK_PROMPT_TUNING": PROMPT,
    "OFT": {**EVERY_LINEAR, "oft_block_size": 16},
    "PREFIX_TUNING": PROMPT,
    "PROMPT_TUNING": PROMPT,
    "PSOFT": {**EVERY_LINEAR, "r": 8},
    "P_TUNING": PROMPT,
    "ROAD": {**EVERY_LINEAR, "group_size": 16},
    "SHADOW": {"auxiliary_loss_weight": 0},
    "SHIRA": {**EVERY_LINEAR, "r": 2},
    "TRAINABLE_TOKENS": {"token_indices": list(range(1, 200))},
    "VBLORA": {**EVERY_LINEAR, "vector_length": 16, "num_vectors": 8},
    "WAVEFT": {**EVERY_LINEAR, "n_frequency": 64},
    "XLORA": {"hidden_size": 32, "adapters": {}},
}


def kinds() -> list[str]:
    """Every adapter type of the installed peft."""
    import peft

    return sorted(kind.value for kind in peft.PEFT_TYPE_TO_CONFIG_MAPPING)


def make_bases(folder: Path) -> None:
    """The two tiny bases, each in a folder of its own name."""
    tokenizer = tokenizer_of(recipes(40))
    for family in BASES:
        save_tiny(family, folder / family, tokenizer)


def outcome(kind: str, base: Path, root: Path) -> str:
    """`trains`, or the words with which the type is refused on this base.

    Trains means: ten steps lower the validation loss, the artifact is saved, and loaded again it gives the
    logits that the model in memory gave. AssertionError where it starts and then falls short of that.
    """
    method = MethodSpec(name=kind.lower(), peft={"peft_type": kind, **OPTIONS.get(kind, EVERY_LINEAR)})
    run = small_run(
        ModelSpec(name=base.name, folder=str(base)), method, epochs=10, batch_tokens=1024, validations=1
    )
    folder, texts = RunFolder(root, run.run_id), recipes(8)
    kept = []
    keep, artifact_files.save_artifact = (
        artifact_files.save_artifact,
        lambda model, *rest: kept.append(model) or keep(model, *rest),
    )
    try:
        record = train(run, texts[:6], texts[6:], "[END]", folder, progress=lambda _: None)
    except UserError as error:
        return str(error).partition(": ")[2]
    finally:
        artifact_files.save_artifact = keep
    assert record.costs.steps == 10, (kind, record.costs.steps)
    curve = [s.validation_nll for s in read_lines(folder.steps, Step) if s.validation_nll is not None]
    assert curve[-1] < curve[0], f"{kind} on {base.name}: the loss does not fall: {curve}"
    ids = torch.arange(1, 40)[None]
    with torch.no_grad():
        trained, loaded = (
            model.eval()(input_ids=ids, use_cache=False).logits
            for model in (kept[0], artifact_files.load_artifact(run.model, folder.artifact))
        )
    gap = (trained - loaded).abs().max().item()
    assert gap < 1e-5, f"{kind} on {base.name}: loaded again, its logits are off by {gap}"
    return TRAINS


def real_shapes() -> dict[str, Any]:
    """Two random layers of DistilGPT2's and of SmolLM2-135M's shape, with a small vocabulary."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    small = {"vocab_size": 64, "bos_token_id": 0, "eos_token_id": 0}
    smollm2 = {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    }
    return {
        "gpt2": GPT2LMHeadModel(GPT2Config(n_layer=2, **small)),
        "llama": LlamaForCausalLM(LlamaConfig(num_hidden_layers=2, **smollm2, **small)),
    }


def fits(name: str, model: Any) -> str:
    """Trainable parameters of a catalog entry on a base, or the words with which it is refused."""
    try:
        adapted = methods.apply(model, config.method(name))
    except UserError as error:
        return str(error).partition(": ")[2]
    return f"{methods.parameter_counts(adapted)[0]:,}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def rows_of(page: str) -> dict[str, tuple[str, str]]:
    """First cell of every row of the page's tables -> its last two: what is said of GPT-2 and of Llama."""
    cells = [[c.strip() for c in line.strip("| ").split(" | ")] for line in page.splitlines() if "|" in line]
    return {row[0].strip("`"): (row[-2], row[-1]) for row in cells}


def entries_by_kind() -> dict[str, str]:
    """Adapter type -> its catalog entries."""
    found: dict[str, list[str]] = {}
    for name, entry in config.catalog("methods").items():
        found.setdefault(entry.get("peft", {}).get("peft_type", ""), []).append(f"`{name}`")
    return {kind: ", ".join(names) for kind, names in found.items()}


def page() -> str:
    """docs/methods.md, from what happens when everything is tried."""
    import peft

    named = entries_by_kind()
    bases = list(BASES.values())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_bases(root)
        kind_rows = [
            [f"`{kind}`", named.get(kind, ""), *(outcome(kind, root / base, root / "runs") for base in BASES)]
            for kind in kinds()
        ]
    entry_rows = [
        [f"`{name}`", *(fits(name, real_shapes()[base]) for base in BASES)]
        for name in config.catalog("methods")
        if name != "base"
    ]
    trained = sum(cell == TRAINS for row in kind_rows for cell in row)
    return f"""# Methods

Written by `python -m tests.toolkit.models.every_adapter` with peft {peft.__version__}; the tests fail when it
is out of date.

## In the catalog

Trainable parameters on two layers of DistilGPT2's shape and of SmolLM2-135M's (vocabulary 64), or the
reason why the entry does not fit. GPT-2 keeps its weights in `Conv1D` layers, which several adapters do not
support. `qlora` needs the extra `bakeoff[quantization]`, which `make setup` installs; here its base is not
quantised.

{table(["entry", *bases], entry_rows)}

peft's defaults are kept, with these exceptions. AdaLoRA prunes no ranks during warm-up and reaches its
target rank at the last step (`tinit`, `total_step`). The random values that VeRA, FourierFT, UniLoRA and
TinyLoRA draw and never train depend on the run's seed (`projection_prng_key`, `random_loc_seed`, `proj_seed`,
`projection_seed`), so intervals over seeds include them. A study that sets these options keeps its values.

VeRA's saved size includes its random projections, which peft saves (3.1 of 3.9 MB on SmolLM2-135M). Prompt
tuning, prefix tuning and p-tuning start from random prompts, and FourierFT from a random change of the
weights; all other methods start from the base model as it is.

## Every adapter type of peft

Each type takes ten steps of bakeoff's own training path on a two-layer GPT-2 and Llama. *{TRAINS}* means
that the validation loss fell, and that the artifact, loaded again, gave the logits of the model in memory.
Otherwise the cell quotes the refusal. {trained} of {2 * len(kind_rows)} cells train. The options of
each type are in `tests/toolkit/models/every_adapter.py`. A study gives its own as
`peft: {{peft_type: …, …}}`, passed on unchanged.

{table(["type", "entries", *bases], kind_rows)}
"""


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.filterwarnings("ignore")
    PAGE.write_text(page(), encoding="utf-8")
