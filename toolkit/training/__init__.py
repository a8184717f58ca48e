"""The one training path: a run's spec and batches in; saved weights, steps and a record out.

`train` is the whole, `trainer` the optimizer steps, `loss` the loss in chunks, `validation` the best step,
`checkpoints` resuming, `monitor` time and memory, `merge` an adapter put into its base model.
"""
