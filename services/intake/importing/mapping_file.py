"""A mapping as the file that people keep: read from TOML, and written as it."""

import json
from collections.abc import Mapping
from typing import Any

from services.intake.domain.mapping import TableMapping


def values_of(mapping: TableMapping) -> dict[str, Any]:
    """Give what a mapping file says, as JSON; what it leaves out is left out."""
    values: dict[str, Any] = mapping.model_dump(mode="json", exclude_defaults=True)
    return values


def toml_of(values: Mapping[str, Any]) -> str:
    """Write the mapping file that says this."""
    plain = [
        f"{name} = {_toml(value)}"
        for name, value in values.items()
        if not isinstance(value, Mapping)
    ]
    tables = [
        "\n".join(
            [f"\n[{name}]", *(f"{_toml(k)} = {_toml(v)}" for k, v in value.items())]
        )
        for name, value in values.items()
        if isinstance(value, Mapping)
    ]
    return "\n".join([*plain, *tables]) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
