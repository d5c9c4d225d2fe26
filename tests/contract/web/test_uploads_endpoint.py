"""Resumable uploads speak tus 1.0.0, to its own clients and to bad ones."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI

from services.intake.api import uploader
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.vault.labels import clean_name
from services.kernel.vault.pieces import PIECE
from services.kernel.web.edge import edge
from services.kernel.web.limiter import Limiter
from services.kernel.web.metrics import HttpMetrics, new_registry
from services.kernel.web.problems import install
from services.kernel.web.uploads_endpoint import CHECKED_LIMIT, uploads_router
from tests.support.files import Shelf, shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from services.kernel.store.database import Database

ADDRESS = "/api/intake/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
LIMIT = 4 * 1024**2


class Client:
    """Speaks tus without a socket, so that every byte of a request is its own."""

    def __init__(self, room: Shelf, *, per_minute: int = 10_000) -> None:
        app = FastAPI()
        who = uploader(OperatorTokens({"token": OPERATOR}))
        limiter = Limiter(per_minute, code="upload.too_many")
        app.include_router(uploads_router("intake", room.uploads, who, limiter=limiter))
        install(app)
        self._app = edge(app, HttpMetrics(new_registry()))

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://t"
            ) as http:
                return await http.request(method, path, **how)

        return asyncio.run(send())

    def create(self, size: int, name: str = "leak.jpg", **more: str) -> httpx.Response:
        named = base64.b64encode(name.encode()).decode()
        headers = {
            **TUS,
            "Upload-Length": str(size),
            "Upload-Metadata": f"filename {named},filetype dGV4dC9odG1s",
            **more,
        }
        return self.ask("POST", ADDRESS, headers=headers)

    def patch(
        self, address: str, offset: int, content: Any, **more: str
    ) -> httpx.Response:
        headers = {
            **TUS,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            **more,
        }
        return self.ask("PATCH", address, content=content, headers=headers)

    def head(self, address: str, **more: str) -> httpx.Response:
        return self.ask("HEAD", address, headers={**TUS, **more})


@pytest.fixture
def room(make_database: Callable[..., Database], tmp_path: Path) -> Shelf:
    return shelf(make_database, tmp_path / "objects", limit=LIMIT)


@pytest.fixture
def client(room: Shelf) -> Client:
    return Client(room)


def test_what_the_server_can_is_told(client: Client) -> None:
    answer = client.ask("OPTIONS", ADDRESS)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(LIMIT)
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "expiration",
        "termination",
        "checksum",
    }


def test_a_file_comes_in_parts_and_is_told_by_its_bytes(
    client: Client, room: Shelf
) -> None:
    content = b"GIF89a" + os.urandom(2 * PIECE)
    made = client.create(len(content), name="..\\投诉 1.html")
    assert made.status_code == 201
    address = made.headers["location"]
    assert "upload-expires" in made.headers
    half = client.patch(address, 0, content[: PIECE + 5])
    assert (half.status_code, half.headers["upload-offset"]) == (204, str(PIECE + 5))
    told = client.head(address)
    assert told.headers["upload-offset"] == str(PIECE + 5)
    assert told.headers["upload-length"] == str(len(content))
    assert told.headers["cache-control"] == "no-store"
    _, name = told.headers["upload-metadata"].split()
    assert base64.b64decode(name).decode() == "投诉 1.html"
    assert "amends-fingerprint" not in told.headers
    whole = client.patch(address, PIECE + 5, content[PIECE + 5 :])
    assert whole.headers["amends-fingerprint"] == hashlib.sha256(content).hexdigest()
    assert whole.headers["amends-media-type"] == "image/gif"  # not what was claimed
    ready = room.uploads.ready(
        UUID(address.rpartition("/")[2]), owner="anonymous", field="f"
    )
    assert ready.size == len(content)


def test_an_empty_file_is_refused_by_its_length(client: Client) -> None:
    """As on the pages: what nobody means to send would be found out too late."""
    answer = client.create(0)
    assert (answer.status_code, answer.json()["code"]) == (422, "upload.empty")
    (fault,) = answer.json()["errors"]
    assert (fault["field"], fault["message"]) == ("Upload-Length", "is 0")
    assert "location" not in answer.headers


def test_what_came_before_the_connection_broke_is_kept(client: Client) -> None:
    address = client.create(100).headers["location"]

    async def breaking() -> AsyncIterator[bytes]:
        yield b"x" * 40
        raise ConnectionResetError

    client.patch(address, 0, breaking())  # nobody hears the answer
    assert client.head(address).headers["upload-offset"] == "40"
    done = client.patch(address, 40, b"y" * 60)
    expected = hashlib.sha256(b"x" * 40 + b"y" * 60).hexdigest()
    assert done.headers["amends-fingerprint"] == expected


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "upload.protocol"),
        ({"Content-Type": "text/plain"}, 415, "upload.media_type"),
        ({"Upload-Offset": "7"}, 409, "upload.offset"),
        ({"Upload-Offset": "-1"}, 400, "upload.header"),
        ({"Upload-Offset": "1e3"}, 400, "upload.header"),
        ({"Upload-Checksum": "crc32 AAAA"}, 400, "upload.header"),
        ({"Upload-Checksum": "sha1 AAAA"}, 460, "upload.checksum"),
    ],
)
def test_a_wrong_request_keeps_nothing(
    client: Client, how: dict[str, str], status: int, code: str
) -> None:
    address = client.create(10).headers["location"]
    answer = client.patch(address, 0, b"12345", **how)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert client.head(address).headers["upload-offset"] == "0"


def test_a_checksum_that_fits_is_taken(client: Client) -> None:
    address = client.create(5).headers["location"]
    digest = base64.b64encode(hashlib.sha1(b"12345").digest()).decode()  # noqa: S324 tus asks for it
    answer = client.patch(address, 0, b"12345", **{"Upload-Checksum": f"sha1 {digest}"})
    assert answer.status_code == 204


def test_more_bytes_than_were_announced_are_refused(client: Client) -> None:
    address = client.create(3).headers["location"]
    answer = client.patch(address, 0, b"four")
    assert (answer.status_code, answer.json()["code"]) == (413, "upload.longer")
    assert client.create(LIMIT + 1).status_code == 413
    big = client.create(LIMIT).headers["location"]
    digest = {"Upload-Checksum": "sha1 AAAA"}

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2 * CHECKED_LIMIT // 1024**2):
            yield b"x" * 1024**2

    assert client.patch(big, 0, endless(), **digest).status_code == 413
    assert client.patch(big, 0, endless()).status_code == 413


def test_what_is_too_long_is_not_waited_for(client: Client) -> None:
    """Nothing beyond the announced length gathers in memory."""
    address = client.create(10).headers["location"]
    taken = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(1_000):
            taken.append(number)
            yield b"x" * 1024

    assert client.patch(address, 0, endless()).status_code == 413
    assert len(taken) < 5


def test_nothing_is_kept_behind_a_hole(client: Client, room: Shelf) -> None:
    """A piece that could not be kept is sent again; what followed it was dropped."""
    content = os.urandom(3 * PIECE)
    address = client.create(len(content)).headers["location"]
    put, tries = room.objects.put, []

    def failing(file_id: UUID, piece: int, sealed: bytes) -> None:
        tries.append(piece)
        if len(tries) == 2:
            raise OSError(28, "No space left on device")
        put(file_id, piece, sealed)

    room.objects.put = failing
    answer = client.patch(address, 0, content)
    assert (answer.status_code, answer.json()["code"]) == (503, "upload.no_room")
    assert client.head(address).headers["upload-offset"] == str(PIECE)
    done = client.patch(address, PIECE, content[PIECE:])
    assert done.headers["amends-fingerprint"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Length": ""},
        {"Upload-Length": "9" * 20},
        {"Upload-Length": "1", "Upload-Metadata": "filename !!!"},
        {"Upload-Length": "1", "Upload-Metadata": "filename " + "A" * 5000},
        {"Upload-Defer-Length": "1"},
    ],
)
def test_an_upload_that_says_too_little_is_not_begun(
    client: Client, headers: dict[str, str]
) -> None:
    answer = client.ask("POST", ADDRESS, headers={**TUS, **headers})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", [f"{ADDRESS}/{UUID(int=1)}", f"{ADDRESS}/%2e%2e%2fetc", f"{ADDRESS}/x"]
)
def test_what_is_no_upload_is_told_so(client: Client, path: str) -> None:
    assert client.head(path).status_code == 404
    assert client.patch(path, 0, b"x").status_code == 404
    assert client.ask("DELETE", path, headers=TUS).status_code == 404


def test_an_upload_can_be_removed(client: Client, room: Shelf) -> None:
    address = client.create(5).headers["location"]
    client.patch(address, 0, b"123")
    assert client.ask("DELETE", address, headers=TUS).status_code == 204
    assert client.head(address).status_code == 404
    assert list(room.objects.files()) == []


def test_a_strangers_upload_is_not_an_operators(client: Client) -> None:
    mine = client.create(5, Authorization="Bearer token").headers["location"]
    assert client.head(mine).status_code == 404
    assert client.head(mine, Authorization="Bearer token").status_code == 200
    assert client.head(mine, Authorization="Bearer other").status_code == 401


def test_one_address_cannot_ask_without_end(room: Shelf) -> None:
    client = Client(room, per_minute=2)
    client.create(5)
    client.create(5)
    answer = client.create(5)
    assert (answer.status_code, answer.json()["code"]) == (429, "upload.too_many")


def test_only_uploads_may_be_longer_than_a_body(client: Client) -> None:
    """The edge lets through where the route counts, and nowhere else."""
    large = b"x" * (1024**2 + 1)
    address = client.create(len(large)).headers["location"]
    assert client.patch(address, 0, large).status_code == 204
    assert client.ask("POST", ADDRESS, content=large).status_code == 413
    assert client.ask("PATCH", f"{address}/more", content=large).status_code == 413


@pytest.mark.real_data
def test_hostile_names_and_contents_are_taken_harmlessly(
    client: Client, real_data: Path, room: Shelf
) -> None:
    """Each becomes a label and bytes: no path, no type of its own, no failure."""
    named = json.loads((real_data / "badinput/own/filenames.json").read_text())
    folders = (real_data / "badinput/own/archives", real_data / "badinput/patt")
    contents = [
        path for folder in folders for path in folder.rglob("*") if path.is_file()
    ]
    pairs = [(row["name"], b"x") for row in named]
    pairs += [(str(path), path.read_bytes()[:LIMIT]) for path in contents[:60]]
    for name, content in pairs:
        made = client.create(len(content), name=name)
        assert made.status_code == 201, name
        address = made.headers["location"]
        assert client.patch(address, 0, content).status_code == 204, name
        told = client.head(address)
        label = base64.b64decode(told.headers["upload-metadata"].split()[1]).decode()
        assert label == clean_name(name)
        assert told.headers["amends-media-type"] not in {"text/html", "image/svg+xml"}
    assert len(list(room.objects.files())) == len(pairs)


def test_the_id_of_an_upload_is_not_logged(client: Client) -> None:
    """Whoever knows a stranger's may use it."""
    address = client.create(5).headers["location"]
    with structlog.testing.capture_logs() as lines:
        assert client.head(address).status_code == 200
        assert client.head(address, Authorization="Bearer x").status_code == 401
    assert [line["status"] for line in lines] == [200, 401]
    assert address.rpartition("/")[2] not in str(lines)
