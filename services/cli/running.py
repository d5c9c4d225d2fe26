"""`amends up`: serve until told to stop."""

import asyncio
import sys

from rich.console import Console

from services.kernel.access import Runtime
from services.kernel.logs import configure
from services.kernel.settings import load_settings
from services.up import run_until_signal


def up() -> None:
    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    console = Console(stderr=True, highlight=False)

    def ready(runtime: Runtime) -> None:
        if sys.stderr.isatty():
            console.print(
                f"[bold]amends[/bold] is ready at {runtime.url}"
                f" with its data in {settings.data}. Ctrl-C stops it."
            )

    asyncio.run(run_until_signal(settings, ready))
