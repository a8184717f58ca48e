"""From rows to batches, the same for every method: read, clean, find duplicates, split, render, tokenise.

`prepare` runs the steps once and caches the result; `corpus` reads and cleans documents from `sources`,
`duplicates` finds near-copies, `split` divides, `report` counts what was excluded, `batches` tokenises.
"""
