"""`amends privacy hold …`: place, list and end holds, over handling's interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from services.cli.arguments import read_reference
from services.cli.client import answer, with_services
from services.cli.erasing import PRIVACY
from services.cli.printing import show, show_rows
from services.kernel.clock import last_day, parse_rfc3339
from services.kernel.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from services.kernel.settings import Settings

_COLUMNS: Final = {
    "hold_id": "id",
    "subject_id": "person",
    "reason": "reason",
    "until": "last day",
    "placed_at": "placed",
    "placed_by": "by",
    "ended_at": "ended",
    "ended_by": "by",
}


def place(
    words: Sequence[str], reason: str, until: str, text: str | None, *, as_json: bool
) -> None:
    person, rest = read_reference(words)
    if rest:
        raise MisuseError(
            "privacy.one_person", f"One person at a time: what is {' '.join(rest)!r}?"
        )
    wanted = {"person": person, "reason": reason, "until": until, "text": text}

    def ask(client: httpx.Client, settings: Settings) -> Any:
        hold = answer(client.post(f"{PRIVACY}/holds", json=wanted))
        return hold if as_json else _with_day(hold, settings)

    hold = with_services(ask)
    show(
        hold,
        as_json=as_json,
        human=f"Nothing of person {hold['subject_id']} is erased before the end of"
        f" {hold['until']}. To end it: amends privacy hold end {hold['hold_id']}",
    )


def listing(*, as_json: bool) -> None:
    def ask(client: httpx.Client, settings: Settings) -> Any:
        found = answer(client.get(f"{PRIVACY}/holds"))
        if as_json:
            return found
        return {"rows": [_with_day(hold, settings) for hold in found["rows"]]}

    show_rows(with_services(ask), _COLUMNS, as_json=as_json, empty="No hold yet.")


def _with_day(hold: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Give the last day of a hold in place of the instant at which it ends."""
    end = parse_rfc3339(hold["until"])
    return hold | {"until": str(last_day(end, ZoneInfo(settings.time_zone)))}


def end(hold_id: str, *, as_json: bool) -> None:
    path = f"{PRIVACY}/holds/{quote(hold_id, safe='')}/end"

    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.post(path))

    hold = with_services(ask)
    show(hold, as_json=as_json, human=f"The hold has ended: {hold['ended_at']}.")
