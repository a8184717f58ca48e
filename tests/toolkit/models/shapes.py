"""Every architecture that bases are tested on, at random weights of a few thousand parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COMMON = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
GROUPED = {**COMMON, "num_key_value_heads": 2}
GEMMA = {**GROUPED, "head_dim": 8}
# Two layers, one of each kind of attention; the window is shorter than most rows.
WINDOWED = {"sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]}
# Tied and random, these would repeat their last token for ever, whatever came before it.
UNTIED = {"tie_word_embeddings": False}
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "max_position_embeddings": 256,
        "attention_types": [[["global", "local"], 1]], "window_size": 16, "intermediate_size": 64,
    },
    "gpt_neox": COMMON,
    "opt": {
        "hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 256,
    },
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, **UNTIED},
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 16},
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "gemma": {**GEMMA, **UNTIED},
    "gemma2": {**GEMMA, **WINDOWED},
    "gemma3_text": {**GEMMA, **WINDOWED},
    "phi": COMMON,
    "phi3": {**GROUPED, "pad_token_id": 0},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, **UNTIED},
}  # fmt: skip


def make(kind: str, tokenizer: Any, folder: Path, **changes: Any) -> Path:
    """A folder with a random model of this kind and the tokenizer, as `save_pretrained` writes it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = {
        "vocab_size": len(tokenizer),
        "bos_token_id": 0,
        "eos_token_id": 0,
        "initializer_range": 0.1,
        **SHAPES[kind],
        **changes,
    }
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape), dtype=torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
