"""What leaves this machine: archives of finished runs, model cards, merged models.

`archive` packs and imports runs without weights, `model_card` describes a run for the Hub, `merge` checks an
adapter merged into its base model.
"""
