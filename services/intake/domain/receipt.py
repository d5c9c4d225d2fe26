"""The identifiers that a complaint gets: case id, receipt number, access code.

All three are derived from a secret, so that the same submission always gets the same
ones; the secrets are arguments. Every MAC is taken over length-prefixed fields behind a
purpose, so no two lists of fields and no two purposes share an input.
"""

import hmac
from typing import Final
from uuid import UUID

_ACCESS_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Digits and capitals that nobody confuses when they are read aloud or copied."""
_ACCESS_PLACES: Final = 12


def keyed(secret: bytes, purpose: str, *fields: bytes) -> bytes:
    """Give the 32-byte HMAC-SHA256 of `fields` for one purpose."""
    mac = hmac.new(secret, digestmod="sha256")
    for field in (purpose.encode(), *fields):
        mac.update(len(field).to_bytes(8))
        mac.update(field)
    return mac.digest()


def case_id(secret: bytes, channel: str, client: str, key: str) -> UUID:
    """Give the UUIDv8 of the complaint that `client` sends on `channel` under `key`."""
    digest = keyed(secret, "case", channel.encode(), client.encode(), key.encode())
    number = int.from_bytes(digest[:16])
    number = number & ~(0xF << 76) | 0x8 << 76  # version 8
    number = number & ~(0b11 << 62) | 0b10 << 62  # the RFC 9562 variant
    return UUID(int=number)


def receipt_digits(secret: bytes, case: UUID, attempt: int = 0) -> str:
    """Give the 15 digits before the check digit; `attempt` counts up until one is free.

    An address, not a secret: whoever reads it aloud gives nothing away (S5).
    """
    digest = keyed(secret, "receipt", case.bytes, attempt.to_bytes(4))
    return f"{int.from_bytes(digest[:16]) % 10**15:015}"


def spoken(number: str) -> str:
    """Group a receipt number for people: `4837 2915 0062 7714`."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def access_code(secret: bytes, case: UUID, renewals: int = 0) -> str:
    """Give the 12 places (58 bits) that open more of a case than its number does.

    Derived and stored nowhere: a repeated submission gets the same code again, and
    there is no table of hashes to steal. `secret` therefore lies with the keys, apart
    from the complaints and their backups. Each of its `renewals` makes another code.
    """
    fields = (case.bytes, renewals.to_bytes(4)) if renewals else (case.bytes,)
    number = int.from_bytes(keyed(secret, "access", *fields))
    places = []
    for _ in range(_ACCESS_PLACES):
        number, place = divmod(number, len(_ACCESS_ALPHABET))
        places.append(_ACCESS_ALPHABET[place])
    return "-".join("".join(places[at : at + 4]) for at in range(0, _ACCESS_PLACES, 4))
