"""Forms: what a browser sent, read strictly, and the proof that our own page sent it.

A forged form is kept out three times: cookies are SameSite=Lax, the browser says where
the request comes from, and the form carries a token that other sites cannot read.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from starlette.requests import Request

from services.kernel.errors import ForbiddenError, UnreadableError
from services.kernel.web.pages.viewers import Viewer

CSRF_FIELD: Final = "csrf"
NONCE_COOKIE: Final = "amends_form"
MEDIA_TYPE: Final = "application/x-www-form-urlencoded"

_MOST_FIELDS: Final = 1_000
_NONCE: Final = 43  # characters of 32 bytes in base64


@dataclass(frozen=True, slots=True)
class FormFault:
    """What is wrong with one field, in the reader's language."""

    field: str
    message: str


class Form:
    """The fields of one form; a field may come several times (check boxes)."""

    def __init__(self, values: Mapping[str, list[str]] | None = None) -> None:
        self._values = dict(values or {})

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def one(self, name: str) -> str:
        """Give the last value, without the spaces round it; "" where there is none."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Give the last value as it was typed, for showing it again."""
        return self._values.get(name, [""])[-1]

    def having(self, name: str, value: str) -> "Form":
        """Give a copy with one field replaced."""
        return Form({**self._values, name: [value]})

    def adding(self, name: str, *values: str) -> "Form":
        """Give a copy in which a field comes with these values as well."""
        return Form({**self._values, name: [*self.many(name), *values]})

    def many(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))


async def read_form(request: Request) -> Form:
    """Read the body. Lines end as they were typed: CRLF is the doing of HTML.

    Raises `UnreadableError` for another media type, a wrong encoding, a NUL or more
    fields than any page of ours has.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type.lower() != MEDIA_TYPE:
        raise _unreadable(f"Send the form as {MEDIA_TYPE}.")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise _unreadable("Send fields in UTF-8, percent-encoded.") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise _unreadable("Leave out NUL characters: they cannot be kept.")
        values.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return Form(values)


def _unreadable(remedy: str) -> UnreadableError:
    return UnreadableError("form.unreadable", remedy)


def random_key() -> str:
    """Make a form's idempotency key: nobody can guess it, unlike ids that rise."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))


class FormGuard:
    """Makes and checks the tokens of forms.

    A session's token is the viewer's. A stranger gets a random cookie, and forms carry
    its HMAC: whoever can neither read our pages nor the cookie cannot make the pair.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def nonce(self, request: Request) -> tuple[str, bool]:
        """Give the stranger's random value, and whether it is new and must be set."""
        known = request.cookies.get(NONCE_COOKIE, "")
        if len(known) == _NONCE:
            return known, False
        return secrets.token_urlsafe(32), True

    def token(self, nonce: str) -> str:
        mac = hmac.new(self._secret, b"form\0" + nonce.encode(), hashlib.sha256)
        return mac.hexdigest()

    def require(self, request: Request, viewer: Viewer, form: Form) -> None:
        """Raise `ForbiddenError` unless a page of ours sent this form."""
        _require_own_origin(request)
        expected = viewer.csrf
        if expected is None:
            nonce = request.cookies.get(NONCE_COOKIE, "")
            expected = self.token(nonce) if nonce else ""
        shown = form.one(CSRF_FIELD)
        if not expected or not hmac.compare_digest(expected.encode(), shown.encode()):
            raise ForbiddenError(
                "form.stale",
                "This page was open too long, or cookies are off: send it again.",
            )


def _require_own_origin(request: Request) -> None:
    """Believe the browser where it says that another site sent this.

    `Sec-Fetch-Site` is sent by every current browser over TLS and on this machine,
    `Origin` by the others; a client that sends neither is no browser.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site in {"same-origin", "none"}
    elif origin is not None:
        ours = urlsplit(origin).netloc == request.headers.get("host", "")
    else:
        ours = True
    if not ours:
        raise ForbiddenError(
            "form.foreign", "Open the page here and send the form from it."
        )
