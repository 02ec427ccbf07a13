"""What arrived (收到的字符), one character for one, so that every position stays true, and cut into bursts.

Case, width, the punctuation of Chinese input methods and pictures of control characters are undone; what stands between
control characters, line ends typed out as ``\\r`` and AIM identifiers such as ``]Q1`` is a burst.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cylinder_codes.elements import GS
from cylinder_codes.errors import CodeError
from cylinder_codes.failures import ReadFailure, failure, failure_of
from cylinder_codes.identifiers import Code


@dataclass(frozen=True, slots=True)
class Run:
    """Characters that belong together, each with its index in what arrived; the run ends before index ``end``."""

    text: str
    origin: Sequence[int]
    end: int

    def position(self, index: int) -> int:
        """Where the character at ``index`` stands in what arrived, counted from 1."""
        return self.origin[index] + 1 if index < len(self.origin) else self.end + 1

    def part(self, start: int, stop: int | None = None) -> "Run":
        """The run from ``start`` to before ``stop``."""
        stop = len(self.text) if stop is None else stop
        end = self.origin[stop] if stop < len(self.origin) else self.end
        return Run(self.text[start:stop], self.origin[start:stop], end)

    def without(self, chars: str) -> "Run":
        """The run without ``chars``."""
        if not any(char in self.text for char in chars):
            return self
        kept = [index for index, char in enumerate(self.text) if char not in chars]
        text = "".join([self.text[index] for index in kept])
        last = self.origin[kept[-1]] + 1 if kept else self.end
        return Run(text, [self.origin[index] for index in kept], last)

    def stripped(self, chars: str) -> "Run":
        """The run without ``chars`` at its ends."""
        start = len(self.text) - len(self.text.lstrip(chars))
        return self.part(start, max(start, len(self.text.rstrip(chars))))

    def translated(self, table: Mapping[int, int]) -> "Run":
        """The run with other characters in the same places."""
        return Run(self.text.translate(table), self.origin, self.end)


Found = tuple[Code, int]
"""A code and the position at which it begins."""
Read = list[Found] | ReadFailure


UPPER_CASE = {ord(char): ord(char.upper()) for char in "abcdefghijklmnopqrstuvwxyz"}


def _mapping() -> dict[int, int]:
    full_width = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
    full_width_lower = {wide: UPPER_CASE[plain] for wide, plain in full_width.items() if plain in UPPER_CASE}
    # What a Chinese input method types for the keys . / [ ] < > and for the space bar
    input_method = dict(zip(map(ord, "。、【】《》\u3000\xa0"), map(ord, "./[]<>  "), strict=True))
    # Not the em dash, of which an input method types two for _: our own codes drop it, a GS1 value refuses it
    dashes = dict.fromkeys((*range(0x2010, 0x2014), 0x2212, 0xFE63), ord("-"))
    pictures = {0x2400 + control: control for control in range(0x20)}
    line_ends = dict.fromkeys((0x7F, 0x85, 0x200B, 0x2028, 0x2029, 0xFEFF), ord("\n"))
    return full_width | UPPER_CASE | full_width_lower | input_method | dashes | pictures | line_ends


ONE_TO_ONE = _mapping()
STRAY_ENDS = f" ~{GS}"
_BREAK = re.compile(
    r"(?P<ai>\[[0-9]{2,4}\])"
    r"|(?P<separator>\x1d|\^\]|[<{\[](?:GS|FNC1)[>}\]]|\\(?:U241D|U001D|X1D))"
    r"|(?P<cut>[\x00-\x1c\x1e\x1f]|\\[RNT]|\](?P<aim>[A-Z][0-9A-Z]))"
)
GS1_SYMBOLS = frozenset({"C1", "D2", "E0", "J1", "Q3"})
"""AIM identifiers, in upper case, of symbols that hold an element string."""


def bursts(text: str) -> Iterator[tuple[int, int, str]]:
    """What stands between control characters and AIM identifiers, with the identifier before it."""
    start, aim = 0, ""
    for found in _BREAK.finditer(text):
        if not found["cut"]:
            continue
        if start < found.start():
            yield start, found.start(), aim
        start, aim = found.end(), found["aim"] or ""
    if start < len(text):
        yield start, len(text), aim


def with_separators(text: str, start: int, stop: int) -> Run:
    """The run from ``start`` to ``stop``; each separator that was typed out is one GS."""
    pieces: list[str] = []
    origin: list[int] = []
    place = start
    for found in _BREAK.finditer(text, start, stop):
        if found["separator"] and len(found.group()) > 1:
            pieces += text[place : found.start()], GS
            origin += range(place, found.start() + 1)
            place = found.end()
    if not pieces:
        return Run(text[start:stop], range(start, stop), stop)
    return Run("".join(pieces) + text[place:stop], [*origin, *range(place, stop)], stop)


def failure_in(error: CodeError, run: Run, index: int) -> ReadFailure:
    """Return the failure that ``error`` at ``index`` of ``run`` is."""
    return failure(failure_of(error.kind), run.position(max(index, 0)))
