"""What makes a training step fast, the same for every method.

`attention` and `compiled` round differently than without them: a run asks for them, and they are part of its
identity.

`loss` is the next-token loss in chunks, `tied_embedding` its gradient for an embedding that is also the head,
`attention` causal attention in blocks on a CPU, `frozen_weights` an
adapter's base in bf16, `compiled` the model's repeated blocks through torch.compile.
"""
