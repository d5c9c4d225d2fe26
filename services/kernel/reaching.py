"""Reaches services that have a process each as if they stood on one origin."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = httpx.Timeout(60, connect=5)


def client_of_processes(where: Mapping[str, str], token: str) -> httpx.Client:
    """Reach services that have a process each, by the path that is asked for."""
    return httpx.Client(
        base_url="http://amends",
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT,
        transport=_ByService(where),
    )


class _ByService(httpx.BaseTransport):
    """Sends `/api/<service>/…` to that service; asks all how far they have come."""

    def __init__(self, where: Mapping[str, str]) -> None:
        self._where = {name: httpx.URL(url) for name, url in where.items()}
        self._http = httpx.HTTPTransport(
            trust_env=False
        )  # a proxy is not for our own services

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/progress":
            return self._joined(request)
        names = [name for name in self._where if f"/{name}/" in request.url.path]
        return self._asked(request, names[0] if names else next(iter(self._where)))

    def close(self) -> None:
        self._http.close()

    def _asked(self, request: httpx.Request, name: str) -> httpx.Response:
        at = self._where[name]
        there = httpx.Request(
            request.method,
            request.url.copy_with(scheme=at.scheme, host=at.host, port=at.port),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._http.handle_request(there)

    def _joined(self, request: httpx.Request) -> httpx.Response:
        found: dict[str, Any] = {}
        for name in self._where:
            answer = self._asked(request, name)
            answer.read()
            if not answer.is_success:
                return answer
            found |= answer.json()
        return httpx.Response(HTTPStatus.OK, json=found)
