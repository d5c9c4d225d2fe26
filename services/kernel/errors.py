"""The families of refusal: what went wrong, a stable code, and what to do about it.

A family decides what an edge does (an HTTP status, an exit code, ack or nak); a code
names the one refusal for programs, and once released it never changes its meaning.
Only the standard library is imported here, so that domains may raise these.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: `field` is its path (`contact.phone`, `demand[2]`).

    `allowed` are the values that would do, where they are few; `remedy` names them too.
    """

    field: str
    message: str
    remedy: str
    allowed: tuple[str, ...] = ()


class AmendsError(Exception):
    """Every refusal that an edge knows how to tell.

    `code` is dotted and stable (`intake.key_reused`); `detail` is one sentence that
    says what to do, in codes only: it is logged, so it never holds what people wrote.
    """

    def __init__(
        self, code: str, detail: str, *, errors: Iterable[FieldError] = ()
    ) -> None:
        super().__init__(code, detail)  # args rebuild it when pickled from a child
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class MalformedError(AmendsError):
    """Readable, but its fields are not what they must be; repeating cannot help."""


class UnreadableError(MalformedError):
    """The bytes are not what they claim to be: not JSON, not UTF-8, not NDJSON."""


class UnauthenticatedError(AmendsError):
    """Credentials are missing, unknown or expired."""


class ForbiddenError(AmendsError):
    """Known, but not allowed to do this."""


class NotFoundError(AmendsError):
    """There is nothing here, or nothing that this caller may know of."""


class RefusedError(AmendsError):
    """Understood and allowed, but not in the present state."""


class StaleError(AmendsError):
    """Decided on a version that is no longer the last one."""


class TooLargeError(AmendsError):
    """More bytes than the stated limit."""


class TooManyError(AmendsError):
    """More requests than this caller may make; `retry_after` is in seconds."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after: int = 60,
        errors: Iterable[FieldError] = (),
    ) -> None:
        super().__init__(code, detail, errors=errors)
        self.retry_after = retry_after


class UnavailableError(AmendsError):
    """Cannot be promised now; the outcome is unknown, ask again with the same key.

    `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after: int = 1,
        errors: Iterable[FieldError] = (),
    ) -> None:
        super().__init__(code, detail, errors=errors)
        self.retry_after = retry_after


class MisuseError(AmendsError):
    """A command line that says what no command line can mean."""


class PoisonError(AmendsError):
    """A message that can never be handled: quarantined with this reason."""


class NewerVersionError(AmendsError):
    """A message of a version that this release does not know: held until upgraded."""
