"""What a group commit reads on PostgreSQL, most of it in the message that takes the writer's lock.

While the lock is held and an answer is waited for, nobody else may write.  So what a batch will look up is asked behind
the lock, in the same message, as far as it is known by then; each statement sees what was committed while the lock was
waited for.  What nobody foresaw is asked when it is needed.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects.postgresql.base import PGDialect

from cylinder_trace.store.postgres_arrays import PACKERS, Packer, pack_columns, pack_int8s, pack_texts
from cylinder_trace.store.postgres_messages import NOTHING, Answer, Messages
from cylinder_trace.store.tables import ENTRY_ID
from cylinder_trace.store.wire import CODE, ENTRY, FOUND, NOW, Ahead, Newest, Values

_DIALECT = PGDialect()  # type: ignore[no-untyped-call]
_TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "VARCHAR": "text", "BYTEA": "bytea"}
_MOST_OF_OTHERS = 4096
"""Entries of others that are read to know what they changed; behind more of them a process begins anew."""


def type_of(column: ColumnElement[Any]) -> str:
    """PostgreSQL's word for the type of a column."""
    return _TYPES[column.type.compile(dialect=_DIALECT)]


def names_of(columns: Iterable[ColumnElement[Any]], of: str = "") -> str:
    """The columns as a statement lists them."""
    return ", ".join(f"{of}{column.key}" for column in columns)


def arrays_of(columns: Iterable[ColumnElement[Any]]) -> str:
    """A value for each of the columns: an array."""
    return ", ".join(f"${place}::{type_of(column)}[]" for place, column in enumerate(columns, 1))


def packers_of(columns: Iterable[ColumnElement[Any]]) -> list[Packer]:
    """How arrays of the columns are packed."""
    return [PACKERS[type_of(column)] for column in columns]


# The names in the statements below come from the tables, never from a caller.
def _lookup(table: Table) -> str:
    columns = FOUND[table]
    return f"SELECT {names_of(columns)} FROM {table.name} WHERE {columns[0].name} = ANY($1::text[])"  # noqa: S608


# One writer at a time gives gap-free indexes; the group commit makes that one lock per batch, not per entry.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))"
_NEWEST = f"SELECT log_index, recorded_at FROM {ENTRY_ID.name} ORDER BY log_index DESC LIMIT 1"  # noqa: S608
_LOG_FROM = (
    f"SELECT log_index, recorded_at, subject FROM {ENTRY_ID.name} "  # noqa: S608
    f"WHERE log_index >= $1 ORDER BY log_index LIMIT {_MOST_OF_OTHERS + 2}"
)
_SINCE = f"SELECT subject FROM {ENTRY_ID.name} WHERE log_index >= $1"  # noqa: S608
_CHAIN = f"SELECT text, type FROM {ENTRY.name} WHERE subject = $1 AND n > $2 AND n < $3 ORDER BY n"  # noqa: S608
_PLACES = f"SELECT id, subject, log_index FROM {ENTRY_ID.name} WHERE id = ANY($1::text[])"  # noqa: S608
_ENTRIES_AT = (
    f"SELECT {names_of(FOUND[ENTRY], 'entry.')} "  # noqa: S608
    f"FROM unnest($1::text[], $2::bigint[]) AS found (subject, log_index) JOIN {ENTRY.name} AS entry "
    "ON entry.subject = found.subject AND entry.log_index = found.log_index"
)
_LOOKUPS: Mapping[Table, str] = {ENTRY: _PLACES, CODE: _lookup(CODE), NOW: _lookup(NOW)}
_SUBJECTS_AHEAD = (
    f"SELECT {names_of(FOUND[NOW])} FROM {NOW.name} WHERE subject = ANY($1::text[] || "  # noqa: S608
    f"ARRAY(SELECT 'cylinder/' || cylinder_id FROM {CODE.name} WHERE code = ANY($2::text[]))) "
    "AND (log_index >= $3 OR subject <> ALL($4::text[]))"
)


@cache
def _rows_of(table: Table) -> str:
    keys = list(table.primary_key.columns)
    asked = f"SELECT * FROM unnest({arrays_of(keys)})"  # noqa: S608
    return f"SELECT {names_of(table.columns)} FROM {table.name} WHERE ({names_of(keys)}) IN ({asked})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said of a table together with the lock."""

    rows: Mapping[Any, Values]
    """By the key that a row was found by."""
    keys: Set[Any]
    """Keys of which all is told here that there is: the row, or that there is none."""

    def part(self, keys: Sequence[Any]) -> tuple[list[Values], list[Any]]:
        """The rows of those of `keys` that are told here, and the rest of `keys`."""
        return [self.rows[key] for key in keys if key in self.rows], [key for key in keys if key not in self.keys]


class PostgresReading:
    """What one transaction reads; it holds the writer's lock from its beginning on."""

    def __init__(self, messages: Messages, ahead: Ahead) -> None:
        self._messages = messages
        messages.put("BEGIN")
        messages.put(_LOCK)
        log = messages.put(_LOG_FROM, ahead.size - 1) if ahead.size is not None else NOTHING
        places = messages.put(_PLACES, pack_texts(ahead.ids)) if ahead.ids else NOTHING
        codes = messages.put(_LOOKUPS[CODE], pack_texts(ahead.codes)) if ahead.codes else NOTHING
        subjects = messages.put(_SUBJECTS_AHEAD, *_asked(ahead)) if ahead.subjects or ahead.codes else NOTHING
        rows = {table: messages.put(*_rows_asked(table, keys)) for table, keys in ahead.rows.items()}
        messages.send()
        self._log, now = log.rows, _by_first(subjects)
        self._told = {
            ENTRY: _Told(_by_first(places), set(ahead.ids)),
            CODE: _Told(_by_first(codes), set(ahead.codes)),
            NOW: _Told(now, set(ahead.subjects).difference(ahead.remembered) | now.keys()),
        } | {table: _Told(_by_key(table, found), set(ahead.rows[table])) for table, found in rows.items()}

    def newest(self) -> Newest | None:
        """As in Wire."""
        if self._log_is_whole():
            return Newest(*self._log[-1][:2])
        rows = self._messages.ask(_NEWEST)
        return Newest(*rows[0]) if rows else None

    def written_since(self, size: int) -> Iterable[str]:
        """As in Wire."""
        if self._log_is_whole() and self._log[0][0] <= size:
            return [subject for index, _, subject in self._log if index >= size]
        return [subject for (subject,) in self._messages.ask(_SINCE, size)]

    def chain(self, subject: str, after: int, before: int) -> Iterable[Values]:
        """As in Wire."""
        return self._messages.ask(_CHAIN, subject, after, before)

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        """As in Wire."""
        rows, untold = self._told[table].part(keys)
        if untold:
            rows += self._messages.ask(_LOOKUPS[table], pack_texts(untold))
        return self._entries_at(rows) if table is ENTRY else rows

    def look_up_rows(self, table: Table, keys: Sequence[Values]) -> Iterable[Values]:
        """As in Wire."""
        told = self._told.get(table)
        rows, untold = told.part(keys) if told else ([], keys)
        return [*rows, *self._messages.ask(*_rows_asked(table, untold))] if untold else rows

    def _entries_at(self, places: Sequence[Values]) -> Iterable[Values]:
        # An id is new nearly always; only one that is not leads on to the part of `entry` that has it.
        if not places:
            return ()
        _, subjects, indexes = zip(*places, strict=True)
        return self._messages.ask(_ENTRIES_AT, pack_texts(subjects), pack_int8s(indexes))

    def _log_is_whole(self) -> bool:
        return 0 < len(self._log) <= _MOST_OF_OTHERS + 1


def _by_first(answer: Answer) -> dict[Any, Values]:
    return {row[0]: row for row in answer.rows}


def _by_key(table: Table, answer: Answer) -> dict[Any, Values]:
    places = [list(table.columns).index(column) for column in table.primary_key.columns]
    return {tuple(row[place] for place in places): row for row in answer.rows}


def _asked(ahead: Ahead) -> tuple[Any, ...]:
    return pack_texts(ahead.subjects), pack_texts(ahead.codes), ahead.size or 0, pack_texts(ahead.remembered)


def _rows_asked(table: Table, keys: Sequence[Values]) -> tuple[Any, ...]:
    """The statement that reads a table's rows by their primary keys, and its values."""
    return _rows_of(table), *pack_columns(packers_of(table.primary_key.columns), keys)
