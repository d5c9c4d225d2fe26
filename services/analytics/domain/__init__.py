"""What figures are made of: facts folded from events, versions of them, and counts."""
