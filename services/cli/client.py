"""The operator's way to the services: to those that run, or to ones started for a verb."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from services.kernel.access import Runtime, read_runtime
from services.kernel.errors import AmendsError, FieldError, UnavailableError
from services.kernel.logs import configure
from services.kernel.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.settings import Settings

R = TypeVar("R")

TIMEOUT = httpx.Timeout(60, connect=5)


def with_services(work: Callable[[httpx.Client, Settings], R]) -> R:
    """Give `work` a client with the operator's token.

    Where nothing runs on the data folder, the services run inside this process while
    `work` does, on a free port.
    """
    settings = load_settings()
    runtime = read_runtime(settings.data)
    if runtime is not None and _answers(runtime):
        with client_of(runtime) as client:
            return work(client, settings)
    configure(settings.log_format, "warning")
    return asyncio.run(_inside(settings, work))


def with_running(work: Callable[[httpx.Client, Settings], R]) -> R:
    """Give `work` a client as above, but raise UnavailableError where nothing runs."""
    settings = load_settings()
    runtime = read_runtime(settings.data)
    if runtime is None or not _answers(runtime):
        raise UnavailableError(
            "client.not_running", "Start `amends up` first: this is about what runs."
        )
    with client_of(runtime) as client:
        return work(client, settings)


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


def _answers(runtime: Runtime) -> bool:
    """Tell a running amends from what a killed one left behind."""
    with contextlib.suppress(httpx.TransportError), client_of(runtime) as client:
        return client.get("/health/live").is_success
    return False


async def _inside(settings: Settings, work: Callable[[httpx.Client, Settings], R]) -> R:
    from services.up import serving  # noqa: PLC0415 only where nothing runs

    def call(runtime: Runtime) -> R:
        with client_of(runtime) as client:
            try:
                return work(client, settings)
            except httpx.TransportError as error:
                raise UnavailableError(
                    "client.connection_lost",
                    "The services could not be reached: see the log, then try again.",
                ) from error

    async with serving(settings, port=0) as runtime:
        return await asyncio.to_thread(call, runtime)
