"""From rows to batches, the same for every method: read, clean, find duplicates, split, render, tokenise.

`prepare` runs the steps once and caches the result; `corpus` reads documents from `sources` by way of
`cleaning` and stores them as `texts`, `duplicates` finds near-copies, `split` divides, `report` counts what
was excluded, `batches` tokenises. `format` renders and parses documents, `conversations` those made of turns.
"""
