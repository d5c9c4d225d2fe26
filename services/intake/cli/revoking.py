"""`amends import --revoke` and `--reinstate`: whether figures count what an import brought.

Each case gets a command of its own, so that a run which was cut short is finished by
saying it again. Nothing is deleted.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx
import typer

from services.intake.cli.batches import asked
from services.intake.importing.sending import posted
from services.intake.importing.told import URL
from services.kernel.errors import MisuseError, RefusedError

REVOKE: Final = "revoke-import"
REINSTATE: Final = "reinstate-import"

_COMMANDS: Final = "/api/handling/commands"
_FIGURE: Final = "/api/analytics/frequency"
_PAGE: Final = 500
_NAMED: Final = 1_000
_SHOWN: Final = 20
_WORKED_ON: Final = "case.worked_on"


@dataclass(slots=True)
class Outcome:
    """What becomes, or became, of the cases of an import."""

    about: Mapping[str, Any]
    command: str
    changed: int = 0
    before: int = 0
    """Cases that were so already."""
    worked_on: list[str] = field(default_factory=list)
    """Receipt numbers of the first that are left as they are for that reason."""
    left: int = 0
    others: Counter[str] = field(default_factory=Counter)
    """Other refusals, each with how many cases it left as they are."""
    states: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    first: str = ""
    last: str = ""
    counted: int | None = None
    """Complaints that figures count, before anything is changed."""
    done: bool = False

    def note(self, row: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Count one case as handling answered."""
        if result["status"] != HTTPStatus.OK:
            if result.get("code") != _WORKED_ON:
                self.others[f"{result['code']}: {result['detail']}"] += 1
                return
            self.left += 1
            if len(self.worked_on) < _NAMED:
                self.worked_on.append(row["receipt_no"])
        elif not result["events"]:
            self.before += 1
        else:
            self.changed += 1
            self.states[result["state"]] += 1
            self.channels[row["channel"]] += 1
            day = row["received_on"]
            self.first = min(self.first or day, day)
            self.last = max(self.last, day)

    @property
    def whole(self) -> bool:
        """Tell whether no case is left as it was."""
        return not (self.left or self.others)

    def then_counted(self) -> int | None:
        if self.counted is None:
            return None
        sign = -1 if self.command == REVOKE else 1
        return self.counted + sign * self.changed

    def told(self) -> dict[str, Any]:
        """Give it for programs."""
        name = "revoked" if self.command == REVOKE else "reinstated"
        found: dict[str, Any] = {
            "batch": self.about["batch"],
            "done": self.done,
            "cases": self.about["cases"],
            name: self.changed,
            f"{name}_before": self.before,
            "worked_on": self.left,
            "figures": {
                "counted": self.counted,
                "then": self.then_counted(),
                "received": [self.first, self.last] if self.first else None,
                "states": self.states,
                "channels": self.channels,
            },
        }
        if self.worked_on:
            found["worked_on_receipts"] = self.worked_on
        if self.others:
            found["refusals"] = self.others
        return found

    def lines(self) -> Iterator[str]:
        """Tell people."""
        revoking = self.command == REVOKE
        verb = "left out of every figure" if revoking else "counted again"
        said = verb.capitalize() if self.done else f"Would be {verb}"
        yield f"{said}: {self.changed:,}"
        if self.changed:
            yield f"  received  {self.first} to {self.last}"
            yield f"  channel   {_counts(self.channels)}"
            yield f"  state     {_counts(self.states)}"
        if self.counted is not None:
            yield (
                f"  complaints that figures count: {self.counted:,} before,"
                f" {self.then_counted():,} then"
            )
        if self.before:
            yield f"As it is to be already: {self.before:,}"
        if self.left:
            yield f"Left in force, since somebody has worked on them: {self.left:,}"
            yield from (f"  {_spoken(each)}" for each in self.worked_on[:_SHOWN])
            if self.left > _SHOWN:
                yield f"  and {self.left - _SHOWN:,} more (--json gives more of them)"
            yield "  --worked-on leaves these out as well; their work stays on record."
        for why, count in self.others.most_common():
            yield f"Left as they are: {count:,} × {why}"  # noqa: RUF001 the sign, for people
        if self.done and revoking:
            batch = self.about["batch"]
            yield f"Nothing is deleted: amends import --reinstate {batch} counts them again."
        elif not self.done:
            yield "Nothing was changed."


def passed(
    client: httpx.Client,
    batch: str,
    command: str,
    *,
    worked_on: bool,
    foreseen: bool,
    progress: Callable[[int, int], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Give the command to every case of an import, or ask what would become of it.

    Raises as intake refuses an unknown batch, and `RefusedError` for one without cases
    or one of which every case is so already.
    """
    about = asked(client, "GET", f"{URL}/{batch}")
    _require_something(about, command)
    payload: dict[str, Any] = {"batch": batch}
    if command == REVOKE:
        payload["worked_on"] = worked_on
    outcome = Outcome(about, command, counted=_counted(client), done=not foreseen)
    url, seen = f"{_COMMANDS}:{'check' if foreseen else 'batch'}", 0
    for rows in _pages(client, batch):
        lines = [_line(row, command, payload) for row in rows]
        for row, result in zip(rows, posted(client, url, lines, sleep), strict=True):
            outcome.note(row, result)
        seen += len(rows)
        progress(seen, about["cases"])
    return outcome


def confirmed(outcome: Outcome, *, yes: bool) -> bool:
    """Ask on a terminal whether to go on. Raises `MisuseError` where nobody can say."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise MisuseError(
            "import.say_yes",
            "Nothing was changed: look at it with --dry-run, then say --yes.",
        )
    for line in outcome.lines():
        typer.echo(line, err=True)
    return typer.confirm("Go on?", err=True)


def as_json(outcome: Outcome) -> str:
    return json.dumps(outcome.told(), ensure_ascii=False)


def _require_something(about: Mapping[str, Any], command: str) -> None:
    if not about["cases"]:
        raise RefusedError(
            "import.brought_nothing",
            "This run brought no case: `amends import --list` says which did.",
        )
    if command == REVOKE and about["revoked"] == about["cases"]:
        raise RefusedError(
            "import.revoked_before",
            "Every case of this import is revoked already: `amends import --reinstate`"
            " counts them again.",
        )
    if command == REINSTATE and not about["revoked"]:
        raise RefusedError(
            "import.in_force", "No case of this import is revoked: leave it as it is."
        )


def _pages(client: httpx.Client, batch: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    params: dict[str, Any] = {"limit": _PAGE}
    while True:
        page = asked(client, "GET", f"{URL}/{batch}/cases", params=params)
        yield page["rows"]
        if page["next"] is None:
            return
        params["after"] = page["next"]


def _line(row: Mapping[str, Any], command: str, payload: Mapping[str, Any]) -> bytes:
    about = {"case_id": row["case_id"], "command": command, "with": payload}
    return json.dumps(about).encode() + b"\n"


def _counted(client: httpx.Client) -> int | None:
    """Count the complaints that figures count; None where analytics is away."""
    answer = client.get(_FIGURE, params={"group_by": "origin"})
    if not answer.is_success:
        return None
    return sum(int(row["count"]) for row in answer.json()["rows"])


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _spoken(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))
