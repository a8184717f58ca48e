"""What a run is, and how one is trained. Knows none of the other folders."""
