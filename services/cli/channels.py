"""`amends access channel …`: asks the running services, which keep the secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.cli.client import answer, with_running
from services.cli.printing import show

if TYPE_CHECKING:
    import httpx

    from services.kernel.settings import Settings


def credentials(channel: str, *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        path = f"/api/intake/channels/{quote(channel, safe='')}/credentials"
        return answer(client.post(path))

    told = with_running(ask)
    width = max(map(len, told))
    lines = "\n".join(f"{name:<{width}}  {value}" for name, value in told.items())
    show(told, as_json=as_json, human=lines)
