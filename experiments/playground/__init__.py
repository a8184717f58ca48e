"""Pages and tables where people look at what models write.

`runs` chooses the runs of a study that are shown; `side_by_side` prints generations of all methods for one
title, `live` serves them in a browser as they write, and `taste` is the blind taste test.
"""
