"""Intake's record in SQL, the same on SQLite and PostgreSQL."""

from services.intake.persistence.record import IntakeRecord, texts

__all__ = ["IntakeRecord", "texts"]
