"""What a study compares and which runs it needs.

A study file is read (`study`) into a `spec`, with its `search` for learning rates and the `findings` that it
judges. Its conditions and cells (`conditions`, `cells`) are pure values; `grid` prepares the data and reads
the records of a root folder. `planning` says what it will cost.
"""
