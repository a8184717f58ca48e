"""What leaves this machine and what comes from others: archives of records, model cards, merged models.

`export` packs a study's records, `incoming` takes in those of others, and `archive` is the form of both;
`trust` decides which base a recorded run may load here. `every_eval_ever` writes scores for other tools,
`model_card` and `hub` publish a model, `merge` folds an adapter into its base.
"""
