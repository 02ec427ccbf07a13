"""Columns of many rows as PostgreSQL's binary arrays: one parameter for a column, whatever the number of rows.

psycopg packs a list item by item in Python; these columns have one type each and are packed several times faster.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from struct import Struct
from typing import Any

_HEADER = Struct("!iiIii")
"""Dimensions, whether there are NULLs, the items' type, how many they are, the first one's number."""
_LENGTH = Struct("!i").pack
_INTEGER = Struct("!iq").pack
_NULL = _LENGTH(-1)
_INT8, _TEXT, _BYTEA = 20, 25, 17


def pack_int8s(values: Sequence[int]) -> bytes:
    """bigint[]: integers of 64 bits."""
    return _header(values, _INT8) + b"".join(map(_INTEGER, repeat(8), values))


def pack_texts(values: Sequence[str | None]) -> bytes:
    """text[]: strings; None is NULL."""
    if None in values:
        return _header(values, _TEXT) + b"".join([_NULL if value is None else _text(value) for value in values])
    return _header(values, _TEXT) + _pieces([str.encode(value) for value in values if value is not None])


def pack_byteas(values: Sequence[bytes]) -> bytes:
    """bytea[]: byte strings."""
    return _header(values, _BYTEA) + _pieces(values)


Packer = Callable[[Sequence[Any]], bytes]
PACKERS: Mapping[str, Packer] = {
    "bigint": pack_int8s,
    "text": pack_texts,
    "bytea": pack_byteas,
}
"""PostgreSQL's type of an item → how a column of it is packed."""


def pack_columns(packers: Sequence[Packer], rows: Sequence[tuple[Any, ...]]) -> list[bytes]:
    """An array for each column of some rows."""
    return [pack(column) for pack, column in zip(packers, zip(*rows, strict=True), strict=True)]


def _header(values: Sequence[object], type_oid: int) -> bytes:
    return _HEADER.pack(1, 1, type_oid, len(values), 1)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _LENGTH(len(encoded)) + encoded


def _pieces(values: Sequence[bytes]) -> bytes:
    lengths = set(map(len, values))
    if len(lengths) == 1:  # hashes, subjects: one join with the length between
        between = _LENGTH(lengths.pop())
        return between + between.join(values)
    return b"".join([piece for value in values for piece in (_LENGTH(len(value)), value)])
