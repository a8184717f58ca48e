"""Runs whose weights come from somewhere else than training.

`elsewhere` takes in what other programs trained: an adapter, a checkpoint, a GGUF file. `conversions` changes
what another run of the study left: converted to LoRA, merged, rounded, or drawn at random as a floor.
"""
