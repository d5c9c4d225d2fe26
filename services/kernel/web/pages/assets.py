"""Files that pages need: style sheets, scripts; read at start, cached by their hash."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.kernel.errors import NotFoundError

KERNEL_STATIC: Final = Path(__file__).parent.parent / "static"
_SERVED: Final = frozenset({".css", ".js", ".svg", ".png", ".woff2"})
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    version: str


class Assets:
    """One folder of files, served under `/static/<name>/`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._files = {
            path.name: _File(content, _media_type(path), _version(content))
            for path in sorted(folder.iterdir())
            if path.suffix in _SERVED
            for content in [path.read_bytes()]
        }

    def url(self, file: str) -> str:
        """Give the address of a file; it changes with the content. KeyError if none."""
        return f"/static/{self.name}/{file}?v={self._files[file].version}"

    def router(self) -> APIRouter:
        routes = APIRouter(include_in_schema=False)

        @routes.get(f"/static/{self.name}/{{file}}")
        async def serve(file: str, request: Request) -> Response:
            found = self._files.get(file)
            if found is None:
                raise NotFoundError("http.not_found", "Reload the page.")
            fresh = request.query_params.get("v") == found.version
            return Response(
                found.content,
                media_type=found.media_type,
                headers={"Cache-Control": _FOR_EVER if fresh else "no-cache"},
            )

        return routes


def _media_type(path: Path) -> str:
    known = {".js": "text/javascript", ".woff2": "font/woff2"}
    guessed = known.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return guessed or "application/octet-stream"


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
