"""A signed answer of the service (签名应答) as it came, read where it lies: one for 100,000 cylinders has 60 MB.

What is signed is canonical JSON without the member `signature`. So that member is cut out of the bytes, and the rest is
both what is verified and what is read: nothing is believed that was not signed. Parsing the whole and writing it again
would take many times its size.
"""

import re
from array import array
from collections.abc import Iterator
from json import JSONDecoder

from cylinder_codes.keys import decode_base64
from cylinder_trace.cylinder import CylinderState

Text = bytes | bytearray

_SIGNATURE = re.compile(rb',"signature":"([^"\\]{1,200})"(?=,"since":)')
"""With its neighbour in canonical order: what is nested may be signed, too, by somebody else."""
_CYLINDERS = b'"cylinders":['
_WINDOW = 1 << 18
"""Bytes that are looked through at once; more than nearly any cylinder."""
_decoded = JSONDecoder().raw_decode


class Signed:
    """An answer taken apart: the `signature`, and the `text` that it is about."""

    def __init__(self, text: Text) -> None:
        """A bytearray is cut itself, so that there is no second copy. Raises ValueError if there is no signature."""
        found = _SIGNATURE.search(text)
        signature = decode_base64(found[1].decode("ascii", "replace")) if found else None
        if found is None or signature is None:
            raise ValueError("it is not signed")
        start, end = found.span()
        del found  # it keeps the text from being cut
        self.signature = signature
        self.text = text if isinstance(text, bytearray) else bytearray(text)
        del self.text[start:end]


class SentCylinders:
    """The cylinders in an answer, each made when its turn comes."""

    def __init__(self, text: bytearray) -> None:
        """Find where each begins and ends. Raises ValueError if there is no list of them."""
        self._text = text
        self._start = text.find(_CYLINDERS) + len(_CYLINDERS)
        if self._start < len(_CYLINDERS):
            raise ValueError("there is no list of cylinders")
        self._ends = array("Q", _ends(text, self._start))
        self._end = self._ends[-1] if self._ends else self._start
        if text[self._end : self._end + 1] != b"]":
            raise ValueError("the list of cylinders has no end")

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[CylinderState]:
        """Raises ValueError for one that cannot be read."""
        start = self._start
        for end in self._ends:
            yield CylinderState.model_validate_json(self._text[start:end])
            start = end + 1

    def rest(self) -> bytes:
        """The answer without them."""
        return bytes(self._text[: self._start]) + bytes(self._text[self._end :])


def _ends(text: bytearray, start: int) -> Iterator[int]:
    """Where each item of the list ends whose first one begins at `start`; what is no JSON ends the list.

    In Latin-1 every byte is a character, and those of JSON's own signs are the same as in UTF-8.
    """
    size = _WINDOW
    while text[start : start + 1] == b"{":
        window, at = text[start : start + size].decode("latin-1"), 0
        while (end := _end(window, at)) is not None and window[end : end + 1] == ",":
            yield start + end
            at = end + 1
        if end is not None and window[end : end + 1] == "]":
            yield start + end
            return
        if at == 0 and len(window) < size:
            return
        start, size = start + at, size if at else 2 * size


def _end(window: str, at: int) -> int | None:
    """Where the item ends that begins at `at`; None if it is cut off there, or is no JSON."""
    try:
        return _decoded(window, at)[1]
    except ValueError:
        return None
