"""Reading JSON strictly, and keeping the events' own texts (严格读取): bytes → values, and where each event stands.

What others send is kept as it came, byte for byte, so the place of each event in the text is needed beside its value.
Refused is whatever two readers could take for two things: a field named twice, NaN, numbers without end, half
characters.
"""

import json
import re
from json.decoder import WHITESPACE, JSONDecodeError, scanstring  # type: ignore[attr-defined]  # as old as json
from typing import Any, NamedTuple, NoReturn

from cylinder_trace.epcis.faults import Fault, fault

_LONGEST_NUMBER = 40
"""Characters."""
_WAY_TO_EVENTS = (("epcisBody", "eventList"), ("epcisBody", "queryResults", "resultsBody", "eventList"))
_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""Half a character, or the one that PostgreSQL keeps in no text; or such a pair as makes a whole one."""
_BAD = re.compile("[\0\ud800-\udfff]")


class Unreadable(Exception):
    """Nothing of it can be read."""

    def __init__(self, said: Fault) -> None:
        super().__init__(said.en)
        self.fault = said


class Read(NamedTuple):
    """A JSON text: its value, and the texts of the events in its list, in order."""

    value: Any
    texts: list[bytes]


def read_json(data: bytes) -> Read:
    """Read a document, or a single event; raises Unreadable."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unreadable(fault((), "not_utf8")) from None
    try:
        value, end, texts = _value(text, _skip(text, 0), ())
        if _skip(text, end) != len(text):
            _refuse("not_json", end)
    except (JSONDecodeError, StopIteration, IndexError) as error:
        raise Unreadable(fault((), "not_json", getattr(error, "pos", len(text)))) from None
    except RecursionError:
        raise Unreadable(fault((), "too_deep", "some hundreds")) from None
    if _SUSPECT.search(text) and _holds_bad(value):
        _refuse("bad_text")
    return Read(value, texts)


def _value(text: str, at: int, way: tuple[str, ...]) -> tuple[Any, int, list[bytes]]:
    """The value at a place, where it ends, and the events in it; only the way to them is walked step by step."""
    if way in _WAY_TO_EVENTS and text[at] == "[":
        return _events(text, at)
    if text[at] == "{" and any(way == known[: len(way)] for known in _WAY_TO_EVENTS):
        return _object(text, at, way)
    value, end = _scan(text, at)
    return value, end, []


def _object(text: str, at: int, way: tuple[str, ...]) -> tuple[dict[str, Any], int, list[bytes]]:
    pairs, texts = [], list[bytes]()
    at = _skip(text, at + 1)
    while text[at] != "}":
        if text[at] != '"':
            _refuse("not_json", at)
        name, at = scanstring(text, at + 1)
        at = _past(text, at, ":")
        value, at, found = _value(text, at, (*way, name))
        pairs.append((name, value))
        texts += found
        at = _next(text, at, "}")
    return _once(pairs), at + 1, texts


def _events(text: str, at: int) -> tuple[list[Any], int, list[bytes]]:
    events, texts = [], []
    at = _skip(text, at + 1)
    while text[at] != "]":
        event, end = _scan(text, at)
        events.append(event)
        texts.append(text[at:end].encode())
        at = _next(text, end, "]")
    return events, at + 1, texts


def _next(text: str, at: int, end: str) -> int:
    """The place of the next member, or of what ends the list."""
    at = _skip(text, at)
    if text[at] == end:
        return at
    at = _past(text, at, ",")
    if text[at] == end:
        _refuse("not_json", at)
    return at


def _past(text: str, at: int, char: str) -> int:
    at = _skip(text, at)
    if text[at] != char:
        _refuse("not_json", at)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    end: int = WHITESPACE.match(text, at).end()
    return end


def _refuse(word: str, *about: object) -> NoReturn:
    raise Unreadable(fault((), word, *about))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs) and [name for name, _ in pairs if name != "eventID"] != [
        name for name in found if name != "eventID"
    ]:
        _refuse("named_twice")
    return found  # one of GS1's own examples bears two eventIDs: as every reader of JSON has it, the last one counts


def _whole(text: str) -> int:
    return int(text) if len(text) <= _LONGEST_NUMBER else _too_long()


def _fraction(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else _too_long()
    return value if abs(value) != float("inf") else _too_long()


def _too_long(_text: str = "") -> NoReturn:
    _refuse("number_too_long", _LONGEST_NUMBER)


_DECODER: Any = json.JSONDecoder(
    object_pairs_hook=_once, parse_int=_whole, parse_float=_fraction, parse_constant=_too_long
)
_scan = _DECODER.scan_once


def _holds_bad(value: Any) -> bool:
    left = [value]  # a list of our own: what is nested deeply would be too deep for calls
    while left:
        one = left.pop()
        if isinstance(one, str) and _BAD.search(one):
            return True
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
    return False
