"""Versioned rows in SQL, the same on SQLite and PostgreSQL; no query folds the log."""

from services.analytics.persistence.store import SqlFactStore

__all__ = ["SqlFactStore"]
