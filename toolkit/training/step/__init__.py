"""What a training step consists of besides the Trainer's own: what makes it fast, and what adapters add.

`loss` is the next-token loss in chunks, `tied_embedding` its gradient for an embedding that is also the head,
`frozen_weights` an adapter's base in bf16, `attention` causal attention in blocks on a CPU, and `compiled`
the model's repeated blocks through torch.compile. With the last two, sums are rounded otherwise: they are
part of a run's identity. `adapters` is what some adapters need: an optimizer,
a schedule, a term of the loss.
"""
