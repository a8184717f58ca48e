"""Training speed against a tutorial notebook and TRL."""
