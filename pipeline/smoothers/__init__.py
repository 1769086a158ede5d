"""Smoothers: known outcomes of training prompts to expected ones, one prompt at a time."""
