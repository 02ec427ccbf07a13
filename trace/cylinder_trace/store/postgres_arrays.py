"""Columns of many rows as PostgreSQL's binary arrays: one parameter for a column, whatever the number of rows.

psycopg packs a list item by item in Python; these columns have one type each and are packed several times faster.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import Any

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = Struct("!iiIii")
"""Dimensions, whether there are NULLs, the items' type, how many they are, the first one's number."""
_LENGTH = Struct("!i").pack
_NULL = _LENGTH(-1)
_INT8, _TEXT, _BYTEA = 20, 25, 17


class Int8s(bytes):
    """A packed bigint[]."""


class Texts(bytes):
    """A packed text[]."""


class Byteas(bytes):
    """A packed bytea[]."""


def pack_int8s(values: Sequence[int]) -> Int8s:
    """Integers of 64 bits."""
    items = chain.from_iterable(zip(repeat(8), values))
    return Int8s(_header(values, _INT8) + Struct("!" + "iq" * len(values)).pack(*items))


def pack_texts(values: Sequence[str | None]) -> Texts:
    """Strings; None is NULL."""
    return Texts(_header(values, _TEXT) + _pieces([None if value is None else value.encode() for value in values]))


def pack_byteas(values: Sequence[bytes]) -> Byteas:
    """Byte strings."""
    return Byteas(_header(values, _BYTEA) + _pieces(values))


PACKERS: Mapping[str, Callable[[Sequence[Any]], bytes]] = {
    "bigint": pack_int8s,
    "text": pack_texts,
    "bytea": pack_byteas,
}
"""PostgreSQL's type of an item → how a column of it is packed."""


def take_packed(connection: "Connection[Any]") -> None:
    """Let `connection` take packed arrays as parameters."""
    for dumper in (_Int8sDumper, _TextsDumper, _ByteasDumper):
        connection.adapters.register_dumper(dumper.packed, dumper)


def _header(values: Sequence[object], type_oid: int) -> bytes:
    return _HEADER.pack(1, 1, type_oid, len(values), 1)


def _pieces(values: Sequence[bytes | None]) -> bytes:
    return b"".join(
        [piece for value in values for piece in ((_NULL,) if value is None else (_LENGTH(len(value)), value))]
    )


class _Packed(Dumper):
    format = Format.BINARY
    packed: type[bytes]

    def dump(self, obj: bytes) -> Buffer:
        return obj


class _Int8sDumper(_Packed):
    oid, packed = 1016, Int8s


class _TextsDumper(_Packed):
    oid, packed = 1009, Texts


class _ByteasDumper(_Packed):
    oid, packed = 1001, Byteas
