"""Paired statistics over seeds and documents: intervals, p-values and verdicts."""
