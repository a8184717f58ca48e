"""Models of published shapes with random weights: as fast as the published ones, without a connection.

`python -m experiments.bench.synthetic.shapes SHAPE FOLDER` saves one in a process of its own, so that whoever
needs it loads no torch.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from toolkit import config
from toolkit.errors import UserError, last_reason
from toolkit.models import load, locate
from toolkit.runtime import child_environment, module_command
from toolkit.specs import ModelSpec

SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "distilgpt2-shape": ("gpt2", {"n_layer": 6}),
    "gemma3-270m-shape": (
        "gemma3_text",
        {
            "vocab_size": 262_144,
            "hidden_size": 640,
            "intermediate_size": 2048,
            "num_hidden_layers": 18,
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
            "head_dim": 256,
            "query_pre_attn_scalar": 256,
            "sliding_window": 512,
            "max_position_embeddings": 32_768,
        },
    ),
    "qwen2.5-0.5b-shape": (
        "qwen2",
        {
            "vocab_size": 151_936,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32_768,
            "tie_word_embeddings": True,
        },
    ),
    "tiny-shape": ("gpt2", {"vocab_size": 257, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 2048}),
    "small-shape": (
        "gpt2",
        {"vocab_size": 257, "n_embd": 64, "n_layer": 4, "n_head": 2, "n_positions": 2048},
    ),
}
"""Name -> transformers' model type and the fields of its configuration that differ from the defaults.

The two smallest are for trying a bench out: their tokenizer has one token per byte. The others have the
embedded base's tokenizer, so that the same documents are the same tokens for all.
"""
OWN_TOKENIZER = ("tiny-shape", "small-shape")


@contextmanager
def base_folder(base: str) -> Iterator[Path]:
    """Yield the folder of a base of the catalog, or of a shape, which is saved for as long as needed."""
    if base not in SHAPES:
        yield locate.local_folder(config.model(base))
        return
    with TemporaryDirectory(prefix="bakeoff-shape-") as parent:
        folder = Path(parent) / base
        command = module_command("experiments.bench.synthetic.shapes", base, str(folder))
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=child_environment())
        if done.returncode:
            last = last_reason(done.stderr)
            raise UserError(f"bench: cannot make a model of shape {base}: {last}")
        yield folder


def model_at(folder: str) -> ModelSpec:
    """Return the model saved in ``folder``."""
    return config.model({"name": "bench", "folder": folder})


def save(shape: str, folder: Path) -> None:
    """Save a model of this shape, random from seed 0, in fp32: other tools compute in what they load."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    kind, fields = SHAPES[shape]
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **fields, **ends))
    model.save_pretrained(folder)
    tokenizer = _bytes() if shape in OWN_TOKENIZER else load.load_tokenizer(config.model(locate.EMBEDDED))
    tokenizer.save_pretrained(folder)


def _bytes() -> Any:
    """Return a tokenizer with a token for each byte and one for the end of a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    end = "<|endoftext|>"
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator([], trainers.BpeTrainer(initial_alphabet=alphabet, special_tokens=[end]))
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, **dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)
    )


if __name__ == "__main__":
    save(sys.argv[1], Path(sys.argv[2]))
