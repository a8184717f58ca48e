"""Ask a model once about every held-out document: likelihoods and generations, as outcomes.

`likelihood` scores, `generation` writes in batches with `kv_cache` and `sampling`, `outcomes` holds both
together, `trial` checks a base model before it is trusted.
"""
