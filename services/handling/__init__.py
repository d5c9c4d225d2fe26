"""Owns the case: decisions, department feeds, work list."""
