"""Metrics of answers: whether a conversation's last answer is the right one, by text, number, form or choice.

`answer` holds what they share. A metric that needs to know more of a data set is measured if the format's
`scoring` says it; what the format says is part of the signature.
"""
