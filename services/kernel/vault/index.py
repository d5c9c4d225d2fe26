"""Finds people and cases by what they gave us, without keeping what they gave us.

A mark (a phone number, an e-mail address, a customer, order, serial or lot number, the
number of whoever passed the complaint on) is brought to one spelling and kept as HMAC-SHA256 under a secret of the key database.
Only exact matches are found: no part of a number, no similar name. Whoever reads the
store alone can see which cases share a mark, and nothing of the mark; whoever has the
secret too can test guesses.
"""

from __future__ import annotations

import hmac
import os
import unicodedata
from typing import TYPE_CHECKING, Final, Literal

import phonenumbers

from services.kernel.store.database import IN_LIST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from uuid import UUID

    from services.kernel.store.database import Database, Dialect, Tx

PERSONAL: Final = ("customer_no", "email", "phone")
"""The kinds that tell a person, the surest first: families share a telephone."""
KINDS: Final = (*PERSONAL, "order_no", "serial", "lot", "upstream_no")
MARKS: Final = 2
"""Number of the form of what is kept of marks; with a new one all are entered anew."""

_SECRET_SIZE = 32
_SECRETS = """CREATE TABLE IF NOT EXISTS vault_secret (
    name TEXT PRIMARY KEY, value BYTEA NOT NULL)"""
_MARK = """CREATE TABLE IF NOT EXISTS blind_mark (
    digest BYTEA NOT NULL, case_id UUID NOT NULL, subject_id UUID NOT NULL,
    PRIMARY KEY (digest, case_id))"""
_BY_SUBJECT = "CREATE INDEX IF NOT EXISTS blind_mark_subject ON blind_mark (subject_id)"
TABLES: dict[Dialect, tuple[str, ...]] = {
    "sqlite": (f"{_MARK} WITHOUT ROWID", _BY_SUBJECT),  # narrow rows: one b-tree less
    "postgres": (_MARK, _BY_SUBJECT),
}
_BARE, _NATIONAL = "phone_bare", "phone_national"
_BETWEEN = frozenset(" -\u2013/.()\u00a0\t")
_SHORTEST, _LONGEST = 5, 15  # digits of a telephone number
_SEPARATORS = {"Cc", "Cf", "Pd", "Zl", "Zp", "Zs"}  # spaces, dashes, invisible ones


class BlindIndex:
    """Which marks belong to which person and case.

    The rows of a person go in the transaction that records the erasure.
    """

    def __init__(
        self,
        keys: Database,
        documents: Database,
        *,
        region: str | None = None,
        randbytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`region` (`CN`) is where a phone number without a country code is at home.

        Without it such numbers find cases, by their digits, but tell no person.
        """
        keys.migrate((_SECRETS,))
        documents.migrate(TABLES[documents.dialect])
        self._region = region
        with keys.write() as tx:
            tx.execute(
                "INSERT INTO vault_secret (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                ("blind_index", randbytes(_SECRET_SIZE)),
            )
            row = tx.fetchone(
                "SELECT value FROM vault_secret WHERE name = ?", ("blind_index",)
            )
        self._secret: bytes = row[0] if row else b""

    def digest(self, kind: str, value: str) -> bytes | None:
        """Turn a mark into its 32 bytes; None where it is not fit to find by.

        Raises KeyError for a kind that does not exist.
        """
        normal = normalise(kind, value, region=self._region)
        return None if normal is None else self._keyed(kind, normal)

    def _keyed(self, kind: str, normal: str) -> bytes:
        return hmac.digest(self._secret, f"{kind}\0{normal}".encode(), "sha256")

    def _entered(self, kind: str, value: str) -> set[bytes]:
        """Give all under which a mark is entered: a phone number also by its digits."""
        found = {self.digest(kind, value)}
        if kind == "phone":
            national = _national(value, self._region)
            bare = None if national else _digits(value)
            found |= {
                self._keyed(form, digits)
                for form, digits in ((_NATIONAL, national), (_BARE, bare))
                if digits
            }
        return {digest for digest in found if digest is not None}

    def _looked_up(self, kind: str, value: str) -> set[bytes]:
        """Give all under which what is looked for may have been entered.

        With its country a number is also looked for among those given without one;
        without, among the national parts of all.
        """
        found = {self.digest(kind, value)}
        if kind == "phone":
            national = _national(value, self._region)
            if national:
                found.add(self._keyed(_BARE, national))
            elif digits := _digits(value):
                found |= {self._keyed(form, digits) for form in (_BARE, _NATIONAL)}
        return {digest for digest in found if digest is not None}

    def identity(self, marks: Mapping[str, str | None]) -> tuple[bytes, ...]:
        """Give the digests of the marks that tell a person, the surest first."""
        digests = (
            self.digest(kind, value)
            for kind in PERSONAL
            if (value := marks.get(kind)) is not None
        )
        return tuple(digest for digest in digests if digest is not None)

    def owners(self, tx: Tx, digests: Collection[bytes]) -> dict[bytes, UUID]:
        """Give the person of each known digest; among several the first known.

        Ids of people are UUIDv7: the smallest is the oldest.
        """
        owners: dict[bytes, UUID] = {}
        for digest, subject in _select(tx, "subject_id", digests):
            owners[digest] = min(subject, owners.get(digest, subject))
        return owners

    def find_subject(self, tx: Tx, marks: Mapping[str, str | None]) -> UUID | None:
        """Give the person whom the surest known mark tells, or None."""
        digests = self.identity(marks)
        owners = self.owners(tx, digests)
        return next((owners[digest] for digest in digests if digest in owners), None)

    def find_cases(self, tx: Tx, kind: str, value: str) -> list[UUID]:
        """Give the cases that a mark was given for, in order of their ids."""
        digests = self._looked_up(kind, value)
        return sorted({case for _, case in _select(tx, "case_id", digests)})

    def put(self, tx: Tx, marks: Iterable[tuple[str, str, UUID, UUID]]) -> None:
        """Enter (kind, value, subject, case); what is unfit or known is passed over."""
        rows = [
            (digest, case_id, subject_id)
            for kind, value, subject_id, case_id in marks
            for digest in self._entered(kind, value)
        ]
        tx.executemany(
            "INSERT INTO blind_mark (digest, case_id, subject_id) VALUES (?, ?, ?)"
            " ON CONFLICT (digest, case_id) DO NOTHING",
            rows,
        )

    def count(self, tx: Tx, subject_id: UUID) -> int:
        """Count the marks of a person."""
        row = tx.fetchone(
            "SELECT COUNT(*) FROM blind_mark WHERE subject_id = ?", (subject_id,)
        )
        return row[0] if row else 0

    def erase(self, tx: Tx, subject_id: UUID) -> None:
        """Forget every mark of a person."""
        tx.execute("DELETE FROM blind_mark WHERE subject_id = ?", (subject_id,))


def normalise(kind: str, value: str, *, region: str | None) -> str | None:
    """Bring a mark to the one spelling that is compared; None where it is unfit.

    Unfit is what many people would share: `none`, `-`, `0000`, a number that cannot be
    dialled, an address without a domain. Raises KeyError for an unknown kind.
    """
    if kind not in KINDS:
        raise KeyError(kind)
    if kind == "phone":
        return _phone(value, region)
    return _email(value) if kind == "email" else _code(value)


def searchable(kind: str, value: str, *, region: str | None) -> str | None:
    """Give the one spelling of what cases can be found by; as `normalise`, and digits.

    A phone number without its country tells no person, but finds cases.
    """
    normal = normalise(kind, value, region=region)
    return normal or (_digits(value) if kind == "phone" else None)


def _parsed(value: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """Read a number that can be dialled; `00` before the country is as good as `+`."""
    bare = value.strip()
    if region is None and bare.startswith("00"):
        bare = f"+{bare[2:]}"
    try:
        number = phonenumbers.parse(bare, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _national(value: str, region: str | None) -> str | None:
    """Give the digits of a number behind its country's."""
    number = _parsed(value, region)
    return None if number is None else phonenumbers.national_significant_number(number)


def _digits(value: str) -> str | None:
    """Give the digits of a number without its country, as it is written anywhere."""
    wide = unicodedata.normalize("NFKC", value)
    if not all(c.isdecimal() or c in _BETWEEN for c in wide):
        return None
    digits = "".join(str(int(c)) for c in wide if c.isdecimal()).lstrip("0")
    return digits if _SHORTEST <= len(digits) <= _LONGEST else None


def _phone(value: str, region: str | None) -> str | None:
    """E.164, and the extension where one was given: a switchboard is many people."""
    number = _parsed(value, region)
    if number is None:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{e164};ext={number.extension}" if number.extension else e164


def _email(value: str) -> str | None:
    """Casefolded and composed, the domain in its ASCII form.

    Capital letters never tell two people apart in practice; dots and plus signs may.
    """
    local, at, domain = unicodedata.normalize("NFC", value.strip()).rpartition("@")
    try:
        domain = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    local = unicodedata.normalize("NFC", local.casefold())
    if not (local and at and "." in domain) or any(map(str.isspace, local + domain)):
        return None
    return f"{local}@{domain}"


def _code(value: str) -> str | None:
    """Compatible forms made equal, in capitals, without spaces and dashes."""
    wide = unicodedata.normalize("NFKC", value)
    bare = "".join(c for c in wide if unicodedata.category(c) not in _SEPARATORS)
    # Once more: capitals and closed gaps can make a letter and its accent meet.
    code = unicodedata.normalize("NFKC", bare.upper())
    # A word is no number, and zeros are what people type when they have none.
    return code if any(c.isdecimal() and c != "0" for c in code) else None


def _select(
    tx: Tx, column: Literal["subject_id", "case_id"], digests: Collection[bytes]
) -> list[tuple[bytes, UUID]]:
    found: list[tuple[bytes, UUID]] = []
    wanted = list(dict.fromkeys(digests))
    for start in range(0, len(wanted), IN_LIST_LIMIT):
        some = wanted[start : start + IN_LIST_LIMIT]
        places = ", ".join("?" * len(some))
        found += tx.fetchall(
            f"SELECT DISTINCT digest, {column} FROM blind_mark"  # noqa: S608 fixed words
            f" WHERE digest IN ({places})",
            some,
        )
    return found
