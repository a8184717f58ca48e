"""A base model on disk and in memory: locate its files, load it, choose which weights train."""
