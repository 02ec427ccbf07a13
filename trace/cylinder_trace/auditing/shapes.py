"""Canonical texts recognised at a glance, by the shape of one that was found canonical the long way.

A ledger says the same few things a million times.  From the first text of each shape a pattern is made that fixes every
key, their order and what kind each value is, and leaves open only plain strings and integers.  So whatever it matches
is canonical, and where it does not match the long way decides: the pattern saves time and never judges.
"""

import re
from collections.abc import Callable
from typing import Any
from unicodedata import is_normalized

_Match = Callable[[str], re.Match[str] | None]

_NUMBER = "(?:[1-9][0-9]{0,14}+|0|-[1-9][0-9]{0,14}+)"
"""Whatever has 15 digits lies within ±(2^53-1); longer ones are left to the long way."""
_PLAIN = '[^"]*+'
"""A string's inside in a text without any backslash."""
_UNESCAPED = r'[^"\\]*+'
_ESCAPED = _UNESCAPED + r'(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))' + _UNESCAPED + ")*+"
"""A string's inside with the escapes of RFC 8785: the short ones, and lower-case hex for what has none."""
_KEY = re.compile(r"[ !#-\[\]-~]+")
_CONTROLS = bytes(range(0x20))
_SHAPES_PER_WORD = 8
_WORDS = 500
_LONGEST = 6_000
_DEEPEST = 12
_STRING, _COLUMN = "\0", "\1"
"""Stand for strings' insides until it is known whether the text has escapes; no key holds either."""

_ENTRY = (
    rf'\{{(?:"act_id":"{_STRING}",)?+"by":"{_STRING}","data":(?:%s),'
    rf'(?:"device":\{{"id":"({_COLUMN})","prev":"({_COLUMN})","seq":(0|[1-9][0-9]{{0,14}}+)\}},)?+'
    rf'"id":"({_COLUMN}","n":{_NUMBER},"occurred_at":{_NUMBER},"prev":"({_COLUMN})","recorded_at":{_NUMBER}),'
    rf'"refs":\[((?:"{_STRING}"(?:,"{_STRING}")*+)?+)\],"subject":"({_COLUMN})","type":"%s","v":{_NUMBER}\}}'
)
"""Groups: the device's id, predecessor and sequence; from the id to `recorded_at`; `prev`; the inside of `refs`; the
subject."""


class Shapes:
    """The shapes seen so far, for each type word."""

    def __init__(self) -> None:
        self._shapes: dict[str, list[str]] = {}
        self._plain: dict[str, _Match] = {}
        self._escaped: dict[str, _Match] = {}

    def match(self, type_word: str, text: bytes) -> re.Match[str] | None:
        """The entry `text` taken apart, if it has a known shape."""
        match = self._plain.get(type_word)
        # No canonical text has a control character, and the patterns do not look for them: this is faster.
        if match is None or len(text.translate(None, _CONTROLS)) != len(text):
            return None
        try:
            decoded = text.decode()
        except UnicodeDecodeError:
            return None
        if "\\" in decoded:
            match = self._with_escapes(type_word)
        if not (decoded.isascii() or is_normalized("NFC", decoded)):
            return None
        return match(decoded)

    def learn(self, entry: dict[Any, Any]) -> None:
        """Remember the shape of an entry that was found canonical, unless there are too many already."""
        type_word, data = entry.get("type"), entry.get("data")
        if type(type_word) is not str or type(data) is not dict or not _KEY.fullmatch(type_word):
            return
        shapes = self._shapes.setdefault(type_word, [])
        shape = _object(data, 0) if len(shapes) < _SHAPES_PER_WORD and len(self._shapes) <= _WORDS else None
        if shape is None or len(shape) > _LONGEST or shape in shapes:
            return
        shapes.append(shape)
        self._plain[type_word] = _compiled(self._pattern(type_word), _PLAIN, _PLAIN)
        self._escaped.pop(type_word, None)

    def _with_escapes(self, type_word: str) -> _Match:
        found = self._escaped.get(type_word)
        if found is None:
            found = self._escaped[type_word] = _compiled(self._pattern(type_word), _UNESCAPED, _ESCAPED)
        return found

    def _pattern(self, type_word: str) -> str:
        return _ENTRY % ("|".join(self._shapes[type_word]), re.escape(type_word))


def _compiled(pattern: str, inside: str, string: str) -> _Match:
    # A column is compared with what stands between the quotes: that part must hold no escape.
    return re.compile(pattern.replace(_COLUMN, inside).replace(_STRING, string)).fullmatch


def _shape(value: object, depth: int) -> str | None:
    """The pattern of a value out of a canonical text; None if it is too odd for one."""
    if isinstance(value, str):
        return f'"{_STRING}"'
    if isinstance(value, bool):
        return "(?:true|false)"
    if isinstance(value, int):
        return _NUMBER
    if depth > _DEEPEST:
        return None
    return _object(value, depth) if isinstance(value, dict) else _array(value, depth)


def _object(value: dict[Any, Any], depth: int) -> str | None:
    members = [
        f'"{re.escape(key)}":{shape}' for key, item in value.items()
        if _KEY.fullmatch(key) and (shape := _shape(item, depth + 1))
    ]  # fmt: skip
    return rf"\{{{','.join(members)}\}}" if len(members) == len(value) else None


def _array(value: Any, depth: int) -> str | None:
    shapes = {_shape(item, depth + 1) for item in value}
    if not shapes or None in shapes:
        return None if shapes else r"\[\]"
    # As many as there may be: one more item of a shape that is there leaves a canonical text canonical.
    item = f"(?:{'|'.join(sorted(filter(None, shapes)))})"
    return rf"\[(?:{item}(?:,{item})*+)?+\]"
