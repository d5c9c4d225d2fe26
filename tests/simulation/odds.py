"""How likely each fault is in one run: drawn from its seed, some of them never."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

SOMETIMES = 0.4
"""The share of runs in which a fault does not happen at all."""


@dataclass(frozen=True, slots=True)
class Odds:
    """For one message each, one commit, one step; delays in seconds.

    `refused`: a commit fails and nothing is kept; `unknown`: it fails, and all is.
    """

    lost: float
    doubled: float
    delayed: float
    delay: float
    unanswered: float
    refused: float
    unknown: float
    crash: float
    outages: int
    jumps: int
    thread: float
    ack_wait: float

    @classmethod
    def drawn(cls, chance: random.Random) -> Odds:
        def upto(most: float) -> float:
            return 0.0 if chance.random() < SOMETIMES else chance.uniform(0, most)

        return cls(
            lost=upto(0.3),
            doubled=upto(0.5),
            delayed=upto(0.3),
            delay=chance.choice([0.01, 0.1, 1.0, 4.0]),
            unanswered=upto(0.3),
            refused=upto(0.1),
            unknown=upto(0.1),
            crash=upto(0.004),
            outages=round(upto(2)),
            jumps=round(upto(4)),
            thread=chance.choice([0.0005, 0.005, 0.05]),
            ack_wait=chance.choice([0.5, 1.0, 3.0]),
        )
