"""The words and documents of a case as its page shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from events.vocabulary import DocumentKind
from services.handling.ports import Sheet
from services.kernel.errors import AmendsError
from services.kernel.previews import may_be_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from services.handling.application.reading import Words, Written
    from services.handling.ports import Paper
    from services.kernel.access import Credential


@dataclass(frozen=True, slots=True)
class Word:
    """A document as the page shows it: its text, what file it is, or why neither."""

    written: Written
    text: str | None = None
    particulars: tuple[tuple[str, str], ...] = ()
    masked: bool = False
    file: Sheet | None = None
    pictured: bool = False
    """Whether a preview of the file can be asked for."""
    fault: str | None = None


async def opened(
    words: Words,
    papers: Sequence[Written],
    *,
    reader: Credential,
    purpose: str | None,
    remedy: Callable[[AmendsError], str],
) -> list[Word]:
    """Open what is text, and the particulars, which are masked without a purpose."""
    sealed = [each for each in papers if each.ref.kind is DocumentKind.PARTICULARS]
    plain = [each for each in papers if each not in sealed]
    try:
        found = await words.read(plain, reader=reader)
        found |= await words.read(sealed, reader=reader, purpose=purpose)
    except AmendsError as error:  # no look without its note
        found = {each.ref.document_id: error for each in papers}
    return [_word(each, found[each.ref.document_id], remedy) for each in papers]


def _word(
    written: Written,
    paper: Paper | Sheet | AmendsError,
    remedy: Callable[[AmendsError], str],
) -> Word:
    if isinstance(paper, AmendsError):
        return Word(written, fault=remedy(paper))
    if isinstance(paper, Sheet):
        return Word(
            written, file=paper, pictured=may_be_shown(paper.media_type, paper.size)
        )
    if written.ref.kind is DocumentKind.PARTICULARS:
        known = tuple(_flat(json.loads(paper.content)))
        return Word(written, particulars=known, masked=paper.masked)
    return Word(written, text=paper.content.decode(errors="replace"))


def _flat(value: Any, above: str = "") -> Iterable[tuple[str, str]]:
    """Give each particular with its path."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(each, f"{above}.{name}" if above else str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _flat(each, above)
    else:
        yield above, str(value)
