"""What a trained model is worth: one pass over held-out documents, metrics, inference."""
