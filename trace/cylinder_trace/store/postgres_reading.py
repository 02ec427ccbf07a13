"""What a group commit reads on PostgreSQL, most of it in the message that takes the writer's lock.

While the lock is held and an answer is waited for, nobody else may write.  So what a batch will look up is asked behind
the lock, in the same pipeline, as far as it is known by then; each statement sees what was committed while the lock was
waited for.  What nobody foresaw is asked when it is needed.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table

from cylinder_trace.store.postgres_arrays import pack_int8s, pack_texts
from cylinder_trace.store.tables import ENTRY_ID
from cylinder_trace.store.wire import CODE, ENTRY, FOUND, NOW, Ahead, Newest, Values

_MOST_OF_OTHERS = 4096
"""Entries of others that are read to know what they changed; behind more of them a process begins anew."""


# The names in the statements below come from the tables, never from a caller.
def _names(columns: Iterable[ColumnElement[Any]], of: str = "") -> str:
    return ", ".join(f"{of}{column.key}" for column in columns)


def _lookup(table: Table) -> str:
    columns = FOUND[table]
    return f"SELECT {_names(columns)} FROM {table.name} WHERE {columns[0].name} = ANY(%b)"  # noqa: S608


# One writer at a time gives gap-free indexes; the group commit makes that one lock per batch, not per entry.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('pinglian-writer'))"
_NEWEST = f"SELECT log_index, recorded_at FROM {ENTRY_ID.name} ORDER BY log_index DESC LIMIT 1"  # noqa: S608
_LOG_FROM = (
    f"SELECT log_index, recorded_at, subject FROM {ENTRY_ID.name} "  # noqa: S608
    f"WHERE log_index >= %s ORDER BY log_index LIMIT {_MOST_OF_OTHERS + 2}"
)
_SINCE = f"SELECT subject FROM {ENTRY_ID.name} WHERE log_index >= %s"  # noqa: S608
_CHAIN = f"SELECT text, type FROM {ENTRY.name} WHERE subject = %s AND n > %s AND n < %s ORDER BY n"  # noqa: S608
_PLACES = f"SELECT id, subject, log_index FROM {ENTRY_ID.name} WHERE id = ANY(%b)"  # noqa: S608
_ENTRIES_AT = (
    f"SELECT {_names(FOUND[ENTRY], 'entry.')} "  # noqa: S608
    f"FROM unnest(%b::text[], %b::bigint[]) AS found (subject, log_index) JOIN {ENTRY.name} AS entry "
    "ON entry.subject = found.subject AND entry.log_index = found.log_index"
)
_LOOKUPS: Mapping[Table, str] = {ENTRY: _PLACES, CODE: _lookup(CODE), NOW: _lookup(NOW)}
_SUBJECTS_AHEAD = (
    f"SELECT {_names(FOUND[NOW])} FROM {NOW.name} WHERE subject = ANY(%b::text[] || "  # noqa: S608
    f"ARRAY(SELECT 'cylinder/' || cylinder_id FROM {CODE.name} WHERE code = ANY(%b))) "
    "AND (log_index >= %s OR subject <> ALL(%b))"
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said of a table together with the lock; each row begins with the key that it was found by."""

    keys: Set[str] = frozenset()
    """Keys whose rows, if there are any, are all here."""
    rows: Sequence[Values] = ()

    def part(self, keys: Sequence[str]) -> tuple[list[Values], list[str]]:
        """The rows of those of `keys` that are told here, and the rest of `keys`."""
        wanted = set(keys)
        return [row for row in self.rows if row[0] in wanted], [key for key in keys if key not in self.keys]


class PostgresReading:
    """What one transaction reads; it holds the writer's lock from its beginning on."""

    def __init__(self, driver: Any, ahead: Ahead) -> None:
        self._driver = driver
        with driver.pipeline():
            driver.execute("BEGIN")
            self._execute(_LOCK)
            log = self._execute(_LOG_FROM, ahead.size - 1) if ahead.size is not None else None
            places = self._execute(_PLACES, pack_texts(ahead.ids)) if ahead.ids else None
            codes = self._execute(_LOOKUPS[CODE], pack_texts(ahead.codes)) if ahead.codes else None
            subjects = (
                self._execute(_SUBJECTS_AHEAD, *_subjects_asked(ahead)) if ahead.subjects or ahead.codes else None
            )
        self._log, now = _rows(log), _rows(subjects)
        changed = {row[0] for row in now}
        self._told = {
            ENTRY: _Told(set(ahead.ids), _rows(places)),
            CODE: _Told(set(ahead.codes), _rows(codes)),
            NOW: _Told(set(ahead.subjects).difference(ahead.remembered) | changed, now),
        }

    def newest(self) -> Newest | None:
        """As in Wire."""
        if self._log_is_whole():
            return Newest(*self._log[-1][:2])
        row = self._execute(_NEWEST).fetchone()
        return Newest(*row) if row else None

    def written_since(self, size: int) -> Iterable[str]:
        """As in Wire."""
        if self._log_is_whole() and self._log[0][0] <= size:
            return [subject for index, _, subject in self._log if index >= size]
        return [subject for (subject,) in self._execute(_SINCE, size)]

    def chain(self, subject: str, after: int, before: int) -> Iterable[Values]:
        """As in Wire."""
        found: Iterable[Values] = self._execute(_CHAIN, subject, after, before)
        return found

    def look_up(self, table: Table, keys: Sequence[str]) -> Iterable[Values]:
        """As in Wire."""
        rows, untold = self._told[table].part(keys)
        if untold:
            rows += self._execute(_LOOKUPS[table], pack_texts(untold))
        return self._entries_at(rows) if table is ENTRY else rows

    def _entries_at(self, places: Sequence[Values]) -> Iterable[Values]:
        # An id is new nearly always; only one that is not leads on to the part of `entry` that has it.
        if not places:
            return ()
        _, subjects, indexes = zip(*places, strict=True)
        found: Iterable[Values] = self._execute(_ENTRIES_AT, pack_texts(subjects), pack_int8s(indexes))
        return found

    def _log_is_whole(self) -> bool:
        return 0 < len(self._log) <= _MOST_OF_OTHERS + 1

    def _execute(self, statement: str, *values: Any) -> Any:
        return self._driver.execute(statement, values, prepare=True)


def _rows(cursor: Any) -> Sequence[Values]:
    return cursor.fetchall() if cursor is not None else ()


def _subjects_asked(ahead: Ahead) -> tuple[Any, ...]:
    return pack_texts(ahead.subjects), pack_texts(ahead.codes), ahead.size or 0, pack_texts(ahead.remembered)
