"""Bring a study up to date: run what is missing, each run in a process of its own.

`runner` decides what runs, `executors` where, `job` and `worker` are one run's side of it, `processes` one
run on several processes, `board` shows progress.
"""
