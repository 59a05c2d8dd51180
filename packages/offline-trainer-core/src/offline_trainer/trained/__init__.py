"""Using a trained run: evaluating it again, and predicting with it."""
