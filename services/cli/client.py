"""The operator's way to the services: to those that run, or to ones started for a verb."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from services.kernel.access import Runtime, read_runtime, read_service_token
from services.kernel.errors import AmendsError, FieldError, UnavailableError
from services.kernel.folder import DataFolder
from services.kernel.logs import configure
from services.kernel.reaching import TIMEOUT, client_of_processes
from services.kernel.settings import addresses, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.settings import Settings

R = TypeVar("R")


def with_services(
    work: Callable[[httpx.Client, Settings], R], *, founding: bool = False
) -> R:
    """Give `work` a client with the operator's token.

    Where nothing runs on the data folder, the services run inside this process while
    `work` does, on a free port. Raises NotFoundError where there is no installation,
    unless the work may be `founding` one: then one is made, and told.
    """
    settings = load_settings()
    client = _running(settings)
    if client is not None:
        return _worked(work, client, settings)
    folder = DataFolder(settings.data)
    if not founding:
        folder.require()
    new = not folder.exists()
    configure(settings.log_format, "warning")
    return asyncio.run(_inside(settings, work, new=new))


def with_running(work: Callable[[httpx.Client, Settings], R]) -> R:
    """Give `work` a client as above, but raise UnavailableError where nothing runs."""
    settings = load_settings()
    client = _running(settings)
    if client is None:
        DataFolder(settings.data).require()
        raise UnavailableError(
            "client.not_running", "Start `amends up` first: this is about what runs."
        )
    return _worked(work, client, settings)


def with_running_or_none(work: Callable[[httpx.Client | None], R]) -> R:
    """Give `work` a client of what runs, or None where nothing does."""
    settings = load_settings()
    client = _running(settings)
    if client is None:
        return work(None)
    return _worked(lambda running, _: work(running), client, settings)


def running_here(settings: Settings) -> bool:
    """Say whether services run on the data folder."""
    client = _running(settings)
    if client is not None:
        client.close()
    return client is not None


def places() -> dict[str, str]:
    """Give where each process answers, by name: `amends up`, or those of `amends run`.

    Raises NotFoundError where there is no installation, and UnavailableError where
    nothing of it runs.
    """
    settings = load_settings()
    runtime = read_runtime(settings.data)
    if runtime is not None and (client := _answering(client_of(runtime))):
        client.close()
        return {"amends up": runtime.url}
    where = addresses(settings)
    if settings.service_token or read_service_token(settings.data):
        for url in where.values():
            http = httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False)
            if client := _answering(http):
                client.close()
                return where
    DataFolder(settings.data).require()
    raise UnavailableError(
        "client.not_running", "Start `amends up` first: this is about what runs."
    )


def answer(response: httpx.Response) -> Any:
    """Give the JSON of an answer; raises AmendsError as the service refused."""
    if response.is_success:
        return response.json()
    try:
        problem = response.json()
    except json.JSONDecodeError:
        problem = {}
    raise AmendsError(
        problem.get("code", "client.unexpected"),
        problem.get("detail", f"The service answered {response.status_code}."),
        errors=[FieldError(**fault) for fault in problem.get("errors", ())],
    )


def client_of(runtime: Runtime) -> httpx.Client:
    return httpx.Client(
        base_url=runtime.url,
        headers={"Authorization": f"Bearer {runtime.token}"},
        timeout=TIMEOUT,
        trust_env=False,  # a proxy of the environment has no business on loopback
    )


def _running(settings: Settings) -> httpx.Client | None:
    """Give a client of what runs: of `amends up`, or of the processes of `amends run`.

    What a killed one left behind does not answer.
    """
    runtime = read_runtime(settings.data)
    if runtime is not None and (client := _answering(client_of(runtime))):
        return client
    token = settings.service_token or read_service_token(settings.data)
    if token is None:
        return None
    return _answering(client_of_processes(addresses(settings), token))


def _answering(client: httpx.Client) -> httpx.Client | None:
    with contextlib.suppress(httpx.TransportError):
        if client.get("/health/live").is_success:
            return client
    client.close()
    return None


def _worked(
    work: Callable[[httpx.Client, Settings], R],
    client: httpx.Client,
    settings: Settings,
) -> R:
    with contextlib.closing(client):
        try:
            return work(client, settings)
        except httpx.TransportError as error:
            raise UnavailableError(
                "client.connection_lost",
                "The services could not be reached: see the log, then try again.",
            ) from error


async def _inside(
    settings: Settings, work: Callable[[httpx.Client, Settings], R], *, new: bool
) -> R:
    from services.up import serving  # noqa: PLC0415 only where nothing runs

    async with serving(settings, port=0) as runtime:
        if new:
            path = settings.data.absolute()
            sys.stderr.write(f"Made a new installation in {path}.\n")
        # Ctrl-C closes the client first: work that would try again then ends.
        with contextlib.closing(client_of(runtime)) as client:
            return await asyncio.to_thread(_worked, work, client, settings)
