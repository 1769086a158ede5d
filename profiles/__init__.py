"""The nouns: what prompts, outcomes, profiles, domains and routing tables are."""
