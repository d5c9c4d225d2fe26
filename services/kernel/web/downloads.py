"""Files of strangers on their way out: kept, never run, under a name that does no harm."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from services.kernel.vault.labels import clean_name

HARMLESS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Whatever a browser takes the bytes for, nothing in them acts."""

_RESERVED: Final = re.compile(r'[<>:"|?*%\x00-\x1f\x7f]')
_DEVICES: Final = re.compile(
    r"(?:CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(?:\.|$)", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"[^A-Za-z0-9 ._()-]")


def download_headers(label: str) -> dict[str, str]:
    """Have a browser keep the body as a file, called by its label as far as that may be."""
    name = download_name(label)
    plain = _PLAIN.sub("_", name)
    encoded = quote(name, safe="")
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}",
        **HARMLESS,
    }


def download_name(label: str) -> str:
    """Make a name that every system can keep: no device, no stream, not hidden."""
    name = _RESERVED.sub("_", clean_name(label))
    hidden = name.startswith(".") or _DEVICES.match(name) is not None
    return f"_{name}" if hidden else name
