"""What a run is, and how one is trained. Imports none of the other packages.

In the order a run passes through: `specs` (what can be requested) and `catalog` (by name), `data` (documents
to batches), `models` (base models and adapters), `training` (the one training path), `records` (what is on
disk). `errors`, `events` and `runtime` are used by every room.
"""
