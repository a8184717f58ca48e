"""Training speed and memory beside a tutorial's notebook and TRL.

`train` runs the sides on the same documents and compares them; `sides` holds each side's own code.
"""
