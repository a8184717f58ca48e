"""What a study concludes from its records: estimates, comparisons, optima and published findings."""
