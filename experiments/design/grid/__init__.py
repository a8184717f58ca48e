"""The runs that a study needs: pure functions of the study, the data's fingerprints and the records so far.

`searches` ask for tuning runs and choose each method's learning rate; the `cells` follow from these.
"""
