"""The figures of a study: for each its plot, table and caption; drawn and written to disk."""
