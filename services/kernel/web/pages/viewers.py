"""Who looks at a page: somebody who signed in, or a stranger."""

from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request

from services.kernel.access import ANONYMOUS, Credential


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person before the screen.

    `csrf` is the token of the session, which every form of that person carries; a
    stranger has none and gets one by cookie. `sections` are the addresses of the staff's
    sections that their role may open, their own work first.
    """

    credential: Credential
    name: str = ""
    csrf: str | None = None
    sections: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return not self.credential.anonymous

    @property
    def home(self) -> str:
        """Where they begin: at their own work, a stranger with a complaint."""
        return self.sections[0] if self.sections else "/"


STRANGER: Final = Viewer(ANONYMOUS)


class Viewers(Protocol):
    async def viewer(self, request: Request) -> Viewer:
        """Give who sent this request, by its session cookie; else `STRANGER`."""


class Strangers:
    """Knows nobody: for a service that serves the public alone, and for tests."""

    async def viewer(self, _request: Request) -> Viewer:
        return STRANGER
