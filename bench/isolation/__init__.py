"""Who sees and does what: a table of expectations, and amends held against it (P12)."""
