"""The `bakeoff` command and the studies it runs; everything else is imported from here.

`design` says what a study will run, `running` runs it, `analysis` concludes, `sharing` and `playground` hand
on models and texts, `bench` measures speed, and `cli` is the command. `studies` are the studies that come
with it.
"""
