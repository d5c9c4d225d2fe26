"""Templates are compiled once in a process, for every language and service that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2.bccache import Bucket


class CompiledTemplates(jinja2.BytecodeCache):
    """Keeps the code of templates in memory, by file and content.

    What shares it must compile alike: the same options, and filters that are
    `at_rendering`.
    """

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        kept = self._kept.get(bucket.key)
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


def at_rendering(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Have a filter of a constant wait for a reader, who has a language.

    Jinja would put its result into the compiled template, which all readers share.
    """

    @jinja2.pass_context
    def applied(_context: object, *given: Any, **named: Any) -> Any:
        return apply(*given, **named)

    return applied
