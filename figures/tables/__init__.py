"""Tables for the terminal, the report and a paper, all from the same rows.

`table` is a table and its Markdown, LaTeX and CSV; the other modules make one kind of table each.
"""
