"""A browser for tests without a screen: keeps cookies, sends forms, follows nothing."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx


class Browser:
    """Asks an ASGI application, as one person after the other pages."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.cookies = httpx.Cookies()

    def get(self, url: str, **headers: str) -> httpx.Response:
        return self.ask("GET", url, headers=_named(headers))

    def post(
        self, url: str, fields: Mapping[str, Any], **headers: str
    ) -> httpx.Response:
        return self.ask("POST", url, data=fields, headers=_named(headers))

    def ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://test", cookies=self.cookies
            ) as client:
                answer = await client.request(method, url, **request)
                self.cookies = client.cookies
                return answer

        return asyncio.run(one())


def hidden(page: str, name: str) -> str:
    """Give the value of a hidden field."""
    found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', page)
    assert found is not None, f"no hidden field {name}"
    return found[1]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
