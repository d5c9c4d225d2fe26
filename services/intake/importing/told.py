"""Tells intake of an import, so that `amends import --list` can say what it was.

Intake knows by itself which complaints a run brought; what is told beside that may fail
without harm to the import.
"""

import contextlib
from typing import Any, Final

import httpx

URL: Final = "/api/intake/imports"
_LONGEST: Final = 255


def brought_before(
    client: httpx.Client | None, file: str, *, batch: str
) -> dict[str, Any] | None:
    """Give the latest other run that brought complaints from this very file."""
    if client is None:
        return None
    with contextlib.suppress(httpx.TransportError, ValueError):
        answer = client.get(URL)
        found = answer.json().get("imports", ()) if answer.is_success else ()
        for each in found:
            if each["file"] == file and each["batch"] != batch and each["cases"]:
                told = ("batch", "begun_at", "format", "cases", "revoked")
                return {name: each.get(name) for name in told}
    return None


class Told:
    """What is told of one run; nothing without a client."""

    def __init__(
        self,
        client: httpx.Client | None,
        batch: str,
        *,
        file: str,
        file_name: str,
        format_: str,
    ) -> None:
        """`file` is the SHA-256 of what is read."""
        self._client = client
        self._url = f"{URL}/{batch}"
        self._about = {
            "file": file,
            "file_name": file_name[:_LONGEST],
            "format": format_[:_LONGEST],
        }

    def begun(self) -> None:
        """Tell what is being imported, before the first row."""
        self._put()

    def ended(self, **counts: int | None) -> None:
        """Tell what became of the rows."""
        self._put(**counts, done=True)

    def _put(self, **more: Any) -> None:
        if self._client is not None:
            with contextlib.suppress(httpx.TransportError):
                self._client.put(self._url, json=self._about | more)
