"""Bring a study up to date: the runner, the worker of each run, progress, and where runs execute."""
