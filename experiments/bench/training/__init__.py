"""Training speed and memory beside a tutorial's notebook and TRL, the way to a run's first step, and growth.

`train` runs the sides on the same documents and compares them; `sides` holds each side's own code. `start`
divides the seconds until a run's first step, measured by `stopwatch`; `jobs` makes runs as a worker gets
them; `growth` repeats one measurement over model size, length, batch, and runs or processes at once.
"""
