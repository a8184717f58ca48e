"""Every bench, one after the other, and the pages made from what they measured.

`parts` lists what is measured, `run` measures what is missing and stores each part's result (`results`),
`sections` words them, `pictures` draws them, `page` writes docs/performance.md; `gpu` adds the tests and the
quickstart on a CUDA device and writes docs/gpu.md.
"""
