"""How the data of an older version reads today: pure functions on dicts, one step each."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Data = Mapping[str, Any]


def _investigated_1(data: Data) -> Data:
    """Version 1 knew only whether the facts matched; 2 also knows `partly` (S53)."""
    return {**data, "facts_match": "yes" if data["facts_match"] else "no"}


UPCASTS: Final[Mapping[tuple[str, int], Callable[[Data], Data]]] = {
    ("ComplaintInvestigated", 1): _investigated_1,
}
"""By type and the version that is lifted to the next."""


def upcast(envelope: Mapping[str, Any], *, to: int) -> dict[str, Any]:
    """Lift an envelope, as parsed from JSON, to the schema version `to`."""
    data = envelope["data"]
    for version in range(envelope["schema_version"], to):
        data = UPCASTS[envelope["type"], version](data)
    return {**envelope, "schema_version": to, "data": data}
