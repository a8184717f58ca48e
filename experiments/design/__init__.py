"""What a study compares and which runs it needs.

A study file is read (`study`) into a `spec`, whose `keys` are documented, with its search for
`learning_rates` and the `findings` that it judges. Its `conditions` and the cells of its `grid` are pure
values; `study_state` prepares the data and reads the records of a root folder. `planning` says what it costs.
"""
