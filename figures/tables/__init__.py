"""Tables for the terminal, the report and a paper, all from the same rows."""
