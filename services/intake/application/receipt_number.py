"""The number on a receipt: 15 derived digits and one that catches mistakes."""

from typing import Final
from uuid import UUID

from stdnum import damm

from services.intake.domain.receipt import receipt_digits

RECEIPT_DIGITS: Final = 16


def receipt_no(secret: bytes, case: UUID, attempt: int = 0) -> str:
    """Give 15 digits and their Damm check digit."""
    digits = receipt_digits(secret, case, attempt)
    return digits + damm.calc_check_digit(digits)


def as_receipt_no(typed: str) -> str | None:
    """Give the 16 digits of a number as people type it, or None where it is none.

    Spaces and hyphens are theirs to place. The check digit catches every single wrong
    digit and every swap of neighbours.
    """
    number = "".join(typed.replace("-", " ").split())
    if len(number) != RECEIPT_DIGITS or not (number.isascii() and number.isdigit()):
        return None
    return number if damm.is_valid(number) else None
