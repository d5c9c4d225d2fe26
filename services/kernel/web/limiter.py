"""How often one address may ask, counted in this process."""

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from services.kernel.errors import TooManyError


class Limiter:
    """Counts one address's requests over the last minute; `code` names the refusal."""

    def __init__(self, per_minute: int, *, code: str) -> None:
        self._code = code
        self._limit = limits.RateLimitItemPerMinute(per_minute)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, request: Request) -> None:
        """Raise `TooManyError` for one request too many."""
        address = request.client.host if request.client else ""
        if not self._window.hit(self._limit, address):
            raise TooManyError(self._code, "Ask again in a minute, and less often.")
