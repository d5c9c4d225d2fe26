"""Faults, made on purpose, and what becomes of complaints under them: a command each."""
