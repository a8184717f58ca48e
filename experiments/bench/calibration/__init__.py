"""Simulated studies with a known truth: do intervals, p-values and verdicts hold what they promise?"""
