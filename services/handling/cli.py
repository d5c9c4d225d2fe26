"""`amends case …`: look at cases from a terminal."""
