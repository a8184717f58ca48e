"""The shared data module: every method trains on this, and only this."""
