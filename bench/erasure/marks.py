"""Marks that stand in whatever a person says, and the forms in which they may be found."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

DIGITS: Final = "零一二三四五六七八九"
_HAN: Final = "霜雾雷虹潮汐岚霭霓霞霁霏"
_WIDTH: Final = 6
_TAG: Final = 12
_MOST: Final = 10_000
"""Telephones that one run may give."""
_PHONES: Final = 139_0000_0000
_AROUND: Final = 64
"""Bytes round a find of base64 that are decoded: a mark and its number fit in."""
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]+")
_ESCAPED: Final = re.compile(rb"\\u[0-9a-fA-F]{4}")


class Marks:
    """The marks of one run: letters with a number, the same in Chinese, a telephone."""

    def __init__(self, chance: random.Random) -> None:
        self.tag = "q" + "".join(chance.choices("bcdfghjkmnpqrstvwxz", k=_TAG - 1))
        self.han = "".join(chance.sample(_HAN, 4))
        self._phone = _PHONES + chance.randrange(9_000) * _MOST
        self._finders = [
            *self._of_letters(),
            *self._of_numerals(),
            self._of_escapes(),
            self._of_phones(),
            *self._of_base64(),
        ]

    def word(self, number: int) -> str:
        return f"{self.tag}{number:0{_WIDTH}}"

    def chinese(self, number: int) -> str:
        return self.han + "".join(DIGITS[int(d)] for d in f"{number:0{_WIDTH}}")

    def both(self, number: int, what: str) -> str:
        return f"{what} {self.word(number)} {self.chinese(number)}"

    def phone(self, number: int) -> str:
        return f"+86{self._phone + number}"

    def found(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Give the number of every mark that stands in the bytes, and in which form."""
        for form, pattern, read in self._finders:
            for hit in pattern.finditer(data):
                number = read(hit)
                if number is not None:
                    yield number, form

    def _of_letters(self) -> Iterator[_Finder]:
        for form in ("utf-8", "utf-16-le", "utf-16-be"):
            digits = b"|".join(re.escape(str(d).encode(form)) for d in range(10))
            tag = re.escape(self.tag.encode(form))
            yield form, _repeated(tag, digits, re.IGNORECASE), _decimal(form)

    def _of_numerals(self) -> Iterator[_Finder]:
        for form in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
            digits = b"|".join(re.escape(d.encode(form)) for d in DIGITS)
            tag = re.escape(self.han.encode(form))
            yield f"Chinese {form}", _repeated(tag, digits), _numerals(form)

    def _of_escapes(self) -> _Finder:
        tag = re.escape("".join(map(_escape, self.han)).encode())
        values = {_escape(d).encode(): n for n, d in enumerate(DIGITS)}
        pattern = _repeated(tag, b"|".join(map(re.escape, values)), re.IGNORECASE)

        def read(hit: re.Match[bytes]) -> int:
            digits = [values[each.lower()] for each in _ESCAPED.findall(hit[1])]
            return int("".join(map(str, digits)))

        return "escaped in JSON", pattern, read

    def _of_phones(self) -> _Finder:
        def read(hit: re.Match[bytes]) -> int | None:
            number = int(hit[1]) - self._phone
            return number if 0 <= number < _MOST else None

        pattern = re.compile(rb"(?<![0-9])(?:86)?(139[0-9]{8})(?![0-9])")
        return "telephone", pattern, read

    def _of_base64(self) -> Iterator[_Finder]:
        """Find what stands in base64, whatever stands before it in the same text."""
        for tag in (self.tag.encode(), self.han.encode()):
            for shift in range(3):
                core = base64.b64encode(b"\0" * shift + tag)
                # The first and the last group hold bytes of what stands beside.
                core = core[4 if shift else 0 : -4]
                yield "base64", re.compile(re.escape(core)), self._decoded

    def _decoded(self, hit: re.Match[bytes]) -> int | None:
        data = hit.string[max(0, hit.start() - _AROUND) : hit.end() + 2 * _AROUND]
        for run in _BASE64.findall(data.translate(bytes.maketrans(b"-_", b"+/"))):
            for begin in range(4):
                try:
                    plain = base64.b64decode(run[begin:][: (len(run) - begin) // 4 * 4])
                except binascii.Error:
                    continue
                for form, pattern, read in self._finders:
                    inner = pattern.search(plain) if form.endswith("utf-8") else None
                    if inner is not None:
                        return read(inner)
        return None


if TYPE_CHECKING:
    _Finder = tuple[str, re.Pattern[bytes], Callable[[re.Match[bytes]], int | None]]


def _repeated(tag: bytes, digits: bytes, flags: int = 0) -> re.Pattern[bytes]:
    return re.compile(b"%b((?:%b){%d})" % (tag, digits, _WIDTH), flags)


def _decimal(form: str) -> Callable[[re.Match[bytes]], int]:
    return lambda hit: int(hit[1].decode(form))


def _numerals(form: str) -> Callable[[re.Match[bytes]], int]:
    return lambda hit: int(
        "".join(str(DIGITS.index(each)) for each in hit[1].decode(form))
    )


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"
