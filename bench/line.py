"""The one line that a promise prints, its options, and its exit code."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Size = Literal["ci", "night"]

KEPT: Final = 0
BROKEN: Final = 1


@dataclass(frozen=True, slots=True)
class Options:
    """How a promise is put to the test; `control` takes its protection away."""

    size: Size
    control: bool
    seed: int


def parser(what: str) -> argparse.ArgumentParser:
    """Give the options that every promise has."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument(
        "--size", choices=get_args(Size), default="ci", help="how much is tried"
    )
    parser.add_argument(
        "--control",
        action="store_true",
        help="take the protection away: the promise must break",
    )
    parser.add_argument("--seed", type=int, help="repeat a run")
    return parser


def options(what: str, given: Sequence[str] | None = None) -> Options:
    """Read `--size`, `--control` and `--seed`; without a seed one is drawn."""
    read = parser(what).parse_args(given)
    drawn = random.randrange(2**31) if read.seed is None else read.seed  # noqa: S311 it must repeat
    return Options(size=read.size, control=read.control, seed=drawn)


def line(promise: str, figures: Mapping[str, object]) -> str:
    """Write `P7 offered=10000 …`, the figures in the order given."""
    return " ".join([promise, *(f"{name}={value}" for name, value in figures.items())])
