"""Records as tidy tables, one fact per row, once it is clear that they may stand side by side."""
