"""Folds events into versioned rows and figures."""
