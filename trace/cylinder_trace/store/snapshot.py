"""One moment of a home, read while the service goes on: everything in a single transaction, streamed.

PostgreSQL gives it as REPEATABLE READ, read only; SQLite as a read transaction beside the writer's.  Neither stops the
writer.  Rows come a thousand at a time, so memory does not grow with the ledger.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, LargeBinary, Table, func, select
from sqlalchemy.exc import DBAPIError

from cylinder_trace.merkle import NodeReader
from cylinder_trace.store.database import (
    UNFINISHED,
    StoreError,
    first_line,
    known_version,
    open_engine,
    parse_url,
    sqlite_path,
)
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.sources import require_readable
from cylinder_trace.store.tables import CheckpointRow, CosignatureRow, EntryRow, MetaRow
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.tiles import nodes_from_tiles

Row = dict[str, Any]
"""Values of one row by the names of its columns."""

_AT_ONCE = 1000
_entry: Table = EntryRow.__table__  # type: ignore[attr-defined]
_checkpoint: Table = CheckpointRow.__table__  # type: ignore[attr-defined]
_cosignature: Table = CosignatureRow.__table__  # type: ignore[attr-defined]
_meta: Table = MetaRow.__table__  # type: ignore[attr-defined]


@contextmanager
def open_snapshot(url: str, folder: Path) -> Iterator["Snapshot"]:
    """The home at `url` with its data folder, as it is now; raises StoreError."""
    parsed = parse_url(url)
    if path := sqlite_path(parsed):
        require_readable(path)
    engine = open_engine(parsed, writer=False)
    try:
        with _one_moment(engine) as connection:
            yield Snapshot(connection, folder)
    except DBAPIError as error:
        raise StoreError(
            f"the database cannot be read: {first_line(error)}; is it running, whole and up to date "
            "(cylinder-api migrate)?"
        ) from error
    finally:
        engine.dispose()


@contextmanager
def _one_moment(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


class Snapshot:
    """What a home held when it was opened; also a log that a mirror can be made of."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection, self._log = connection, folder / "log"
        meta: dict[str, str] = {row.key: row.value for row in connection.execute(select(_meta))}
        if begun := meta.get(UNFINISHED):
            raise StoreError(f"unfinished {begun}: there is nothing whole here to be copied; run that again first")
        known_version(meta)  # of a newer one there may be tables that would be missing in the copy
        self.origin = meta.get("origin", "")
        self._files = LogFiles(self._log, suite_of_origin(self.origin))

    def size(self) -> int:
        """How many entries there are."""
        return int(self._connection.scalar(select(func.coalesce(func.max(_entry.c.log_index) + 1, 0))) or 0)

    def checkpoint(self) -> str | None:
        """The newest checkpoint, with its cosignatures."""
        query = select(_checkpoint.c.size, _checkpoint.c.note).order_by(_checkpoint.c.size.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        lines = select(_cosignature.c.line).where(_cosignature.c.size == row.size).order_by(_cosignature.c.key)
        return str(row.note) + "".join(self._connection.scalars(lines))

    def checkpoints(self) -> list[str]:
        """None: a copy has them as rows, with all that stands beside them."""
        return []

    def texts(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Index and stored bytes of the entries from `start` up to, not including, `end`."""
        within = _entry.c.log_index >= start, _entry.c.log_index < end
        query = select(_entry.c.log_index, _entry.c.text).where(*within).order_by(_entry.c.log_index)
        for row in self._connection.execute(query.execution_options(yield_per=_AT_ONCE)):
            yield row.log_index, _as_bytes(row.text)

    def rows(self, table: Table, *where: ColumnElement[bool]) -> Iterator[Row]:
        """A table's rows in the order of its key."""
        query = select(table).where(*where).order_by(*table.primary_key.columns)
        binary = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
        for found in self._connection.execute(query.execution_options(yield_per=_AT_ONCE)):
            row = dict(found._mapping)
            for name in binary:
                row[name] = None if row[name] is None else _as_bytes(row[name])
            yield row

    def nodes(self, size: int) -> NodeReader:
        """From the tiles in the data folder."""
        return nodes_from_tiles(size, self._files.read_tile, self._files.suite)

    def vkeys(self) -> list[str]:
        """The log's keys, as its folder names them."""
        keys = self._log / "keys"
        return keys.read_text().split() if keys.is_file() else []

    def rotations(self) -> str:
        """How the log's key was rotated."""
        return self._files.rotations()


def _as_bytes(value: bytes | str | memoryview) -> bytes:
    """SQLite lets text stand in a column of bytes: it is copied, and does not hash to what was signed."""
    return value.encode() if isinstance(value, str) else bytes(value)
