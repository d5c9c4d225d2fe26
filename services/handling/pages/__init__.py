"""Handling's pages for people who signed in: the desk, and who may come in."""

from pathlib import Path
from typing import Final

from events import words
from services.handling.pages import (
    access_privacy,
    desk_clocks,
    desk_refusals,
    desk_words,
    matters,
)
from services.handling.pages.access_faults import REMEDIES
from services.kernel.web.pages import Pages, Viewers
from services.kernel.web.pages.roles import ROLES

FOLDER: Final = Path(__file__).parent.parent


def handling_pages(
    *,
    viewers: Viewers,
    secret: bytes,
    time_zone: str,
    demonstration: bool = False,
    staging: bool = False,
) -> Pages:
    """Make what all of handling's pages are rendered with."""
    return Pages(
        "handling",
        FOLDER,
        viewers=viewers,
        secret=secret,
        time_zone=time_zone,
        words={
            **words.WORDS,
            "role": ROLES,
            **matters.WORDS,
            **desk_words.WORDS,
            **desk_clocks.WORDS,
        },
        remedies={
            **REMEDIES,
            **desk_refusals.REMEDIES,
            **access_privacy.REMEDIES,
        },
        locales=[words.LOCALE],
        demonstration=demonstration,
        staging=staging,
    )
