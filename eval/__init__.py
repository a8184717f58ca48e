"""What a trained model is worth, from one pass over the held-out documents.

`inference` asks the model, `metrics` measure its outcomes, `statistics` compares them; `harness` runs these
for one run, `anchors` gives floors and ceilings, `failures` explains bad generations, `audit` decides what
may be compared.
"""
