"""`/access`: signing in, the people who may, the tokens of systems."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from services.handling.pages import access_login, access_tokens, access_users
from services.kernel.admission import Admission
from services.kernel.web.pages import Pages


def routers(
    admission: Admission, pages: Pages, *, zone: ZoneInfo
) -> Sequence[APIRouter]:
    """Build the routes; days are meant in `zone`."""
    return (
        access_login.router(admission, pages),
        access_users.router(admission, pages),
        access_tokens.router(
            admission.tokens, admission.users.places, pages, zone=zone
        ),
    )
