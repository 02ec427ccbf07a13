"""Canonical JSON once more (RFC 8785, narrowed): is this text the one text of what it says?"""

import unicodedata
from typing import Any

import orjson

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_PLAIN = frozenset({str, int, bool})
_loads, _dumps = orjson.loads, orjson.dumps
Json = dict[Any, Any]


def canonical_object(text: bytes) -> Json | None:
    """The object in `text`, or None unless `text` is canonical.

    Written again with sorted keys it must be the same bytes, which rules out white space, doubled keys and other ways
    to write the same; and it must hold no float, no null, no text outside Unicode NFC, no key outside ASCII.
    """
    try:
        value = _loads(text)
        if type(value) is not dict or _dumps(value, option=_SORTED) != text:
            return None
        plain = _is_plain(value) and (text.isascii() or _is_normal(value, text))
    except (ValueError, TypeError, RecursionError):
        return None
    return value if plain else None


def text_of(value: Json) -> bytes:
    """The canonical text of an object that came out of a canonical text."""
    return orjson.dumps(value, option=_SORTED)


def _is_plain(value: Json) -> bool:
    """Whether all that is in it, however deep, is text, integers, true and false."""
    for item in value.values():
        kind = type(item)
        if kind is str or kind is int:
            continue
        if kind is dict:
            # One set for all values is cheaper than a look at each, and most objects hold nothing but these.
            if not ({*map(type, item.values())} <= _PLAIN or _is_plain(item)):
                return False
        elif kind is list:
            if not ({*map(type, item)} <= _PLAIN or _is_plain(dict(enumerate(item)))):
                return False
        elif kind is not bool:
            return False
    return True


def _is_normal(value: Json, text: bytes) -> bool:
    # Neighbours in the text that are none in a value (an escape, then a combining mark) make it look worse than it is.
    whole = unicodedata.is_normalized("NFC", text.decode())
    return _is_normal_item(value, whole)


def _is_normal_item(item: object, whole: bool) -> bool:
    if isinstance(item, dict):
        return all(key.isascii() and _is_normal_item(inner, whole) for key, inner in item.items())
    if isinstance(item, list):
        return all(_is_normal_item(inner, whole) for inner in item)
    return whole or not isinstance(item, str) or unicodedata.is_normalized("NFC", item)
