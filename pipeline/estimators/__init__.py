"""Estimators: outcomes on training prompts to expected quality and cost on unseen ones."""
