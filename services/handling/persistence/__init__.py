"""Handling's record in SQL: events, and beside them the work list, documents and keys."""

from services.handling.persistence.copies import DepartmentCopies
from services.handling.persistence.privacy import PrivacyRecord
from services.handling.persistence.record import HandlingRecord
from services.handling.persistence.words import texts
from services.handling.persistence.work_list import WorkList

__all__ = ["DepartmentCopies", "HandlingRecord", "PrivacyRecord", "WorkList", "texts"]
