"""A base model on disk and in memory.

`locate` finds or fetches its files, `load` reads model and tokenizer and saves them, `methods` chooses which
weights train: by patterns, or with a PEFT adapter.
"""
