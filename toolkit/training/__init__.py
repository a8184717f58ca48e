"""The one training path: a run's spec and batches -> saved weights, steps and a record."""
