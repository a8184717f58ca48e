"""A study's records as tidy frames, one fact per row.

`load` reads a study and refuses what may not be compared; `run_rows` and `conclusion_rows` make rows,
`frames` names the columns of every frame.
"""
