"""Exact and near-duplicates, and how close the splits come to each other.

`shingles` hashes texts, `minhash` finds near-copies among millions, `prompts` those of prompts,
`leaks` measures what crosses the splits, `foreign` what test documents share with what others trained on.
"""
