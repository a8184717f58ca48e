"""Pages and tables where people look at what models write.

`side_by_side` prints generations of all methods for one title; `taste` is the blind taste test.
"""
