"""Which documents are copies or near-copies of each other, and how close the splits come to each other."""
