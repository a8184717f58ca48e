"""A base model on disk and in memory.

`locate` finds or fetches its files, `gguf` converts them, `load` reads model and tokenizer, `probe` tries a
model on a few tokens. `methods` chooses which weights train: by patterns, or with a PEFT adapter. `artifact`
saves and loads what a run leaves, `flops` counts operations; the room `without_training` holds weights from
other programs, and conversions.
"""
