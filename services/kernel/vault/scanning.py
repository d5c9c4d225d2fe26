"""Have a program of the operator's look through files: a scanner for malware, say."""

from __future__ import annotations

import shlex
import subprocess
import threading
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel.errors import MalformedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

WITHIN: Final = 120.0
"""Seconds that the program has for one file."""

_CLEAN: Final = 0
_REFUSED: Final = 1

_log = structlog.get_logger(__name__)


class CommandScanner:
    """Runs a command for each file, which it gets on standard input.

    It ends with 0 for a clean file and 1 for one to be refused; all else, being too
    slow, and 0 before it has read everything mean that nobody knows.
    """

    def __init__(self, command: str, *, within: float = WITHIN) -> None:
        self._command = shlex.split(command)
        self._within = within

    def scan(self, content: Iterable[bytes]) -> None:
        """Raise MalformedError for a refused file, UnavailableError for an unknown one."""
        try:
            code, whole = self._run(content)
        except OSError as error:
            _log.warning("files.scanner_failed", reason=error.strerror)
            raise _unknown() from None
        if code == _REFUSED:
            raise MalformedError(
                "upload.refused", "This file is not taken: a check of files refuses it."
            )
        if code != _CLEAN or not whole:
            _log.warning("files.scanner_failed", exit_code=code, read_everything=whole)
            raise _unknown()

    def _run(self, content: Iterable[bytes]) -> tuple[int, bool]:
        """Give how the program ended, and whether it took everything."""
        program = subprocess.Popen(  # noqa: S603 the operator's own command, no shell
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = threading.Timer(self._within, program.kill)
        end.start()
        whole = True
        try:
            assert program.stdin is not None  # noqa: S101 as opened, for mypy
            try:
                with program.stdin as given:
                    for piece in content:
                        given.write(piece)
            except BrokenPipeError:
                whole = False
            return program.wait(), whole
        except BaseException:
            program.kill()
            program.wait()
            raise
        finally:
            end.cancel()


def _unknown() -> UnavailableError:
    return UnavailableError(
        "upload.unscanned",
        "Files cannot be checked at the moment: the file is kept, use it again later.",
        retry_after=30,
    )
