"""Run a model over held-out documents: likelihoods, generations, and the outcomes that hold both."""
