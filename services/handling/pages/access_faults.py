"""Refusals of access in the reader's words, each at the field that it is about."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request

from services.kernel.access import Credential
from services.kernel.errors import AmendsError
from services.kernel.i18n import msgid
from services.kernel.tokens import require_role
from services.kernel.users import ADMIN
from services.kernel.web.pages import FormFault, Pages

REMEDIES: Final[Mapping[str, str]] = {
    "access.admin_exists": msgid("There is an administrator already. Ask them."),
    "access.busy": msgid("Many people sign in just now. Try again in a moment."),
    "access.departed": msgid("They have departed. Add them anew to let them in."),
    "access.department_needed": msgid("This role acts for a department. Choose it."),
    "access.expired": msgid("This day has passed. Choose a later one."),
    "access.last_admin": msgid(
        "This is the last administrator. Make somebody else one first."
    ),
    "access.login_failed": msgid("Login or password is wrong. Try again."),
    "access.login_taken": msgid("Somebody has this login. Choose another."),
    "access.link_used": msgid(
        "There is an administrator already, so this link opens nothing any more. Sign"
        " in, or ask them to let you in."
    ),
    "access.no_link": msgid(
        "This link has ended, or a newer one took its place. Whoever operates amends"
        " makes a new one in a terminal: amends access admin-link"
    ),
    "access.no_token": msgid("There is no such token."),
    "access.no_user": msgid("There is no such person."),
    "access.not_a_code": msgid("Use letters, digits and . _ - without spaces."),
    "access.not_repeated": msgid("The two passwords differ. Type both again."),
    "access.password_login": msgid("Take another password than the login."),
    "access.password_long": msgid("Take at most 256 characters."),
    "access.password_short": msgid(
        "Take at least 12 characters. A few words in a row are easy to keep."
    ),
    "access.password_wrong": msgid("This is not your password. Try again."),
    "access.too_many_failures": msgid(
        "Too many wrong passwords. Wait a quarter of an hour, then try again."
    ),
    "access.unknown_channel": msgid("Choose a channel from the list."),
    "access.unknown_department": msgid("Choose a department from the list."),
    "access.unknown_role": msgid("Choose a role from the list."),
}
_FIELDS: Final[Mapping[str, str]] = {
    "access.department_needed": "department",
    "access.expired": "until",
    "access.login_taken": "login",
    "access.not_a_code": "actor",
    "access.not_repeated": "again",
    "access.password_login": "password",
    "access.password_long": "password",
    "access.password_short": "password",
    "access.password_wrong": "present",
    "access.unknown_channel": "channel",
    "access.unknown_department": "department",
    "access.unknown_role": "role",
}
_PERSON: Final[Mapping[str, str]] = {
    "login": msgid("Use 1 to 64 letters, digits or . @ + - _ for the login."),
    "name": msgid("Give the name, in at most 80 characters."),
}


def faults_of(pages: Pages, request: Request, error: AmendsError) -> list[FormFault]:
    """Say what is wrong with a form; several fields at once where they are known."""
    if error.code == "access.person":
        return [
            FormFault(fault.field, pages.text(request, _PERSON[fault.field]))
            for fault in error.errors
        ]
    return [FormFault(_FIELDS.get(error.code, ""), pages.remedy(request, error))]


def by_field(found: list[FormFault]) -> dict[str, str]:
    return {fault.field: fault.message for fault in found}


def require_admin(pages: Pages, request: Request) -> Credential:
    """Give who asks. Raises UnauthenticatedError or ForbiddenError for all others."""
    caller = pages.require_known(request)
    require_role(caller, ADMIN)
    return caller
