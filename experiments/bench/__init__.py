"""Measurements of speed and memory, each against a baseline in the same run.

One module per bench; `sides` runs each side in a process of its own, `synthetic` makes inputs, `training`
compares with a tutorial's notebook and TRL, `calibration` simulates studies to test the statistics.
"""
