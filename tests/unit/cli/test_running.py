"""What serves runs on the fast loop where it is installed, and without it as well."""

import asyncio
import sys

import uvloop

from services.cli import running


async def loop_of(found: list[object]) -> None:
    found.append(asyncio.get_running_loop())


def test_services_run_on_the_fast_loop():
    found: list[object] = []
    running._run(loop_of(found))
    assert isinstance(found[0], uvloop.Loop)


def test_where_it_is_not_installed_asyncios_own_will_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    found: list[object] = []
    running._run(loop_of(found))
    assert isinstance(found[0], asyncio.SelectorEventLoop)
