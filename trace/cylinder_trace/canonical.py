"""Canonical JSON: one text for one value, so that anybody can recompute a hash in any language.

Rules (RFC 8785, narrowed): keys sorted, no white space, UTF-8, text in Unicode NFC, numbers are integers
within ±(2^53-1), no floats, no NaN, no null.  A field without a value is absent.

>>> canonical_json({"b": 1, "a": "瓶"}).decode()
'{"a":"瓶","b":1}'

The ledger hashes the bytes that are stored.  Nothing here re-encodes a stored text to hash it: a hash over
``dump(parse(text))`` would pass every test until an event gains a field, and then break every old one.
"""

import unicodedata
from typing import Any

import orjson

LARGEST_INTEGER = 2**53 - 1
LONGEST_ENTRY = 65_535
"""Bytes of one entry; the entry bundles of tlog-tiles carry a 16-bit length."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class CanonicalError(ValueError):
    """The value or text has no canonical form; the message says what is wrong and where."""


def canonical_json(value: dict[str, Any]) -> bytes:
    """The one text of `value`; raises CanonicalError for floats, nulls, long integers, non-NFC text."""
    return _plain_text(value) or _checked_text(value)


def _plain_text(value: object) -> bytes | None:
    """The text of what consists of nothing but objects, lists, texts, integers and booleans; None for the rest.

    Nearly everything that is recorded is of this kind.  The serialiser itself refuses long integers; so types and keys
    are left to look at, and Unicode: where the whole text is in NFC, so is each part of it, and no character that is
    written with a backslash composes with a neighbour.
    """
    try:
        if not _is_plain(value):
            return None
        text = orjson.dumps(value, option=_OPTIONS)
    except (TypeError, RecursionError):  # the careful way says what is wrong and where
        return None
    return text if text.isascii() or _is_nfc(text.decode()) else None


_SCALARS = frozenset((str, int, bool))
_CONTAINERS = frozenset((dict, list, tuple))
_PLAIN = _SCALARS | _CONTAINERS


def _is_plain(value: Any) -> bool:
    items = value
    if type(value) is dict:
        if not "".join(value).isascii():
            return False
        items = value.values()
    # The types are gathered without a step of the interpreter for each item.
    kinds = set(map(type, items))
    if kinds <= _SCALARS:
        return True
    return kinds <= _PLAIN and all(_is_plain(item) for item in items if item and type(item) in _CONTAINERS)


def _checked_text(value: object) -> bytes:
    try:
        fault = _fault(value)
    except RecursionError as error:
        raise CanonicalError("nested too deeply") from error
    if fault:
        raise CanonicalError(f"${fault}")
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except (TypeError, orjson.JSONEncodeError) as error:
        raise CanonicalError(str(error)) from error


def parse_canonical(text: bytes) -> dict[str, Any]:
    """The object in `text`; raises CanonicalError unless `text` is exactly its own canonical form."""
    if len(text) > LONGEST_ENTRY:
        raise CanonicalError(f"{len(text)} bytes, more than {LONGEST_ENTRY}")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: {error}") from error
    if not isinstance(value, dict) or canonical_json(value) != text:
        raise CanonicalError("not in canonical form")
    return value


def _fault(value: object) -> str | None:
    """Path and nature of the first thing in `value` that has no canonical form."""
    if isinstance(value, str):
        return None if _is_nfc(value) else ": text is not in Unicode NFC"
    if isinstance(value, bool):
        return None
    if isinstance(value, dict):
        return _fault_in_object(value)
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if fault := _fault(item):
                return f"[{index}]{fault}"
        return None
    if isinstance(value, int):
        return None if abs(value) <= LARGEST_INTEGER else ": integer beyond 2^53-1"
    return f": {type(value).__name__} has no canonical form"


def _is_nfc(text: str) -> bool:
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def _fault_in_object(value: dict[Any, Any]) -> str | None:
    for key, item in value.items():
        if not (isinstance(key, str) and key.isascii()):
            return f": key {key!r} is not ASCII text"
        if fault := _fault(item):
            return f".{key}{fault}"
    return None
