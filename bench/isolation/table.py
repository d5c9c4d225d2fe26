"""Read the table of expectations, and count what differs from it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TABLE: Final = Path(__file__).with_name("table.toml")
EVERYONE: Final = "everyone"


class Verdict(StrEnum):
    """How a caller was met."""

    LET_IN = "let in"
    REFUSED = "refused"
    UNKNOWN = "asked who they are"


class Cell(NamedTuple):
    """One attempt: who, at what, in which relation to it; what should be, what was."""

    caller: str
    what: str
    relation: str
    expected: Verdict
    got: Verdict | str
    """A verdict, or what came instead of one."""

    @property
    def wrong_allow(self) -> bool:
        return self.expected is not Verdict.LET_IN and self.got is Verdict.LET_IN

    @property
    def wrong(self) -> bool:
        return self.expected is not self.got

    def __str__(self) -> str:
        relation = f" ({self.relation})" if self.relation else ""
        return (
            f"{self.caller} at {self.what}{relation}:"
            f" expected {self.expected}, got {self.got}"
        )


@dataclass(slots=True)
class Found:
    """Every cell that was tried, and what no cell could be made for."""

    cells: list[Cell] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Routes, roles, commands or classes that stand in one place only."""

    def wrong(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.wrong]

    @property
    def wrong_allows(self) -> int:
        return sum(cell.wrong_allow for cell in self.cells)

    @property
    def wrong_denies(self) -> int:
        return len(self.wrong()) - self.wrong_allows + len(self.missing)


class Table:
    """The expectations, each asked by plain words."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._groups: dict[str, list[str]] = told["groups"]
        self.doors: dict[str, frozenset[str]] = {
            route: self._spread(door["for"])
            for door in told["doors"]
            for route in door["routes"]
        }
        self.commands: dict[str, frozenset[str]] = {
            name: self._spread(roles) for name, roles in told["commands"].items()
        }
        self.restricted: frozenset[str] = frozenset(told["classes"]["restricted"])
        self.relations: tuple[str, ...] = tuple(told["relations"]["departments"])
        self.acts: tuple[str, ...] = tuple(told["acts"])
        self.units: frozenset[str] = self._spread(["units"])

    @classmethod
    def read(cls, path: Path = TABLE) -> Table:
        return cls(tomllib.loads(path.read_text(encoding="utf-8")))

    def opens(self, route: str, caller: str) -> bool:
        return bool({EVERYONE, caller} & self.doors[route])

    def lets(self, act: str, caller: str, relation: str) -> bool:
        """Tell whether a caller may do this to a case that they have this to do with."""
        row = self._told["acts"][act]
        if caller == "receipt":
            return relation in row.get("receipts", ())
        if caller in self.units:
            return relation in row.get("departments", ())
        return caller in self._spread(row.get("others", ()))

    def known_callers(self) -> frozenset[str]:
        return self._spread(["known"])

    def _spread(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(self._each(names))

    def _each(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name in self._groups:
                yield from self._each(self._groups[name])
            else:
                yield name
