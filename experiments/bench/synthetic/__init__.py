"""Made-up inputs for benchmarks: rows with planted near-copies, and finished records."""
