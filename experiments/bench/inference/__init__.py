"""Speed of asking a model, each against what a script would do.

`generation` writes texts, against one prompt at a time; `likelihood` scores texts, against a loop over padded
batches.
"""
