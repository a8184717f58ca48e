"""The one training path: a run's spec and batches in; saved weights, steps and a record out.

`train` is the whole, `fit` its training part, `trainer` the optimizer steps, `step` what makes one fast,
`validation` the best step, `checkpoints` resuming, `monitor` steps and time, `merge` an adapter put into its
base model.
"""
