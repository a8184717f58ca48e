"""What leaves this machine: archives of finished runs, model cards, merged models."""
