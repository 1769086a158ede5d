"""The verbs: import, encode, discover, assign, profile, route and evaluate."""
