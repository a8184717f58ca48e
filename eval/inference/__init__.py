"""Paired inference over seeds and documents; the door is `eval.stats`."""
