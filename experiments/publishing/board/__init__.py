"""The board: every method beside LoRA, with what it costs.

`rows` finds each method's value, standing and costs, `rule` what may be called better, `setting` tells what
was run, and `page` writes docs/board.md of it all.
"""
