"""Headers that lie, are too long or make no sense open nothing and break nothing."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

BODY = b'{"channel": "web", "statement": "It leaks.", "contact": {"name": "A", "email": "a@example.org"}}'


def ask(url: str, method: str, path: str, headers: dict[str, str], body: bytes) -> int:
    """Send these very bytes and give the status; 0 where the connection just ended."""
    host, port = url.removeprefix("http://").split(":")
    given = {
        "Host": f"{host}:{port}",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "Connection": "close",
    } | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        line = connection.makefile("rb").readline()
    return int(line.split()[1]) if line else 0


def test_no_header_opens_or_breaks_anything(
    amends: RunningAmends, real_data: Path
) -> None:
    amends.start()
    rows = json.loads((real_data / "badinput/own/http_headers.json").read_text("utf-8"))
    for row in rows:
        headers = {row["header"]: row["value"]}
        secret = ask(amends.url, "GET", "/api/handling/cases", headers, b"")
        assert secret in {0, 400, 401, 403, 404, 413, 431}, (row["header"], secret)
        page = ask(amends.url, "GET", "/", headers, b"")
        assert page < 500, (row["header"], page)
        handed_in = ask(amends.url, "POST", "/api/intake/complaints", headers, BODY)
        assert handed_in < 500, (row["header"], handed_in)
        if row["header"] == "X-HTTP-Method-Override":
            assert page == 200
    assert ask(amends.url, "GET", "/", {}, b"") == 200, "it still serves"
