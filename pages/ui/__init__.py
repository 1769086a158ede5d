"""What several pages share: cached reads, figures, and numbers as text."""
