"""How the data of an older version reads today: pure functions on dicts, one step each."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Data = Mapping[str, Any]


def _investigated_1(data: Data) -> Data:
    """Version 1 knew only whether the facts matched; 2 also knows `partly` (S53)."""
    return {**data, "facts_match": "yes" if data["facts_match"] else "no"}


def _as_it_is(data: Data) -> Data:
    """Version 2 may say less, of what was imported (A7); what 1 says stands."""
    return data


UPCASTS: Final[Mapping[tuple[str, int], Callable[[Data], Data]]] = {
    ("ComplaintAppealed", 1): _as_it_is,
    ("ComplaintInvestigated", 1): _investigated_1,
    ("ComplaintResolved", 1): _as_it_is,
    ("DepartmentAssigned", 1): _as_it_is,
    ("RecordCorrected", 1): _as_it_is,
}
"""By type and the version that is lifted to the next."""


def upcast(envelope: Mapping[str, Any], *, to: int) -> dict[str, Any]:
    """Lift an envelope, as parsed from JSON, to the schema version `to`."""
    data = envelope["data"]
    for version in range(envelope["schema_version"], to):
        data = UPCASTS[envelope["type"], version](data)
    return {**envelope, "schema_version": to, "data": data}
