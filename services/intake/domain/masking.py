"""What is shown of a person's particulars before somebody says what they need them for."""

import re
from collections.abc import Mapping
from typing import Any, Final

_MARK: Final = "•"
_SHORT: Final = 4


def masked(particulars: Mapping[str, Any]) -> dict[str, Any]:
    """Give the same shape, each value cut to what tells one from another."""
    return {name: _masked(name, value) for name, value in particulars.items()}


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return masked(value)
    if isinstance(value, list):
        return [_masked(name, each) for each in value]
    text = str(value)
    if name == "name":
        return text[:1] + _MARK * 3
    if "@" in text:
        first, _, rest = text.partition("@")
        return f"{first[:1]}{_MARK * 3}@{rest}"
    return _digits(text)


def _digits(text: str) -> str:
    """Keep the last four of a long number; of a short text nothing but that it is."""
    close = re.sub(r"\s", "", text)
    return _MARK * 4 + (close[-_SHORT:] if len(close) > 2 * _SHORT else "")
