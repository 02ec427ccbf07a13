"""The named points at which a crash makes a difference, each with how a process is made to die exactly there.

Nothing in the ledger knows of them: a process that is to die replaces one function of its own copy of the ledger by one
that ends the process before or behind the real one.  docs/faults.md has a row for each; a test holds both equal.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Engine, event

from cylinder_trace.store import durable, files
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.postgres_messages import Messages
from cylinder_trace.store.postgres_wire import PostgresWire
from cylinder_trace.store.publisher import Publisher
from cylinder_trace.store.sqlite_wire import SqliteWire
from cylinder_trace.store.unit import Batch
from cylinder_trace.store.witness_client import WitnessClient
from cylinder_trace.store.witness_files import WitnessFiles
from cylinder_trace.store.write_back import WriteBack

Stage = Literal["opening", "writing", "witnessed", "witness"]
"""While a ledger opens; while it is written to; the same with a witness; in the process of the witness."""
Stored = Literal["no", "yes", "unknown"]
"""Whether what was asked for last is stored, when the asking process has died without an answer."""


class Trap:
    """Ends the process, once it is armed."""

    def __init__(self, armed: bool) -> None:
        self.armed = armed

    def spring(self) -> None:
        """Die, if armed, as by kill -9."""
        if self.armed:
            os.kill(os.getpid(), signal.SIGKILL)


Install = Callable[[Trap], None]
_HALF_A_PAGE = 2048


def before(owner: Any, name: str) -> Install:
    """Die where `owner.name` is called."""

    def install(trap: Trap) -> None:
        real = getattr(owner, name)

        def dying(*values: Any, **named: Any) -> Any:
            trap.spring()
            return real(*values, **named)

        setattr(owner, name, dying)

    return install


def after(owner: Any, name: str) -> Install:
    """Die where `owner.name` returns."""

    def install(trap: Trap) -> None:
        real = getattr(owner, name)

        def dying(*values: Any, **named: Any) -> Any:
            answer = real(*values, **named)
            trap.spring()
            return answer

        setattr(owner, name, dying)

    return install


def on_either_wire(place: Callable[[Any, str], Install], name: str) -> Install:
    """The same on SQLite's wire and on PostgreSQL's."""

    def install(trap: Trap) -> None:
        for wire in (SqliteWire, PostgresWire):
            place(wire, name)(trap)

    return install


def at_commit_to_postgres(having: Callable[[Messages], None]) -> Install:
    """Die where PostgreSQL is told to commit, when `having` has been done with what lies ready for it."""

    def install(trap: Trap) -> None:
        real = PostgresWire.commit

        def dying(wire: PostgresWire) -> None:
            if trap.armed:
                having(wire._messages)
            trap.spring()
            real(wire)

        setattr(PostgresWire, "commit", dying)  # noqa: B010 - to the type checker it would be another function

    return install


def rows_written(messages: Messages) -> None:
    """The server has written the rows, and has not heard the word COMMIT."""
    messages.send()


def commit_said(messages: Messages) -> None:
    """COMMIT has gone to the server behind the rows, and its answer has not come."""
    messages.put("COMMIT")
    messages._line.pipeline_sync()


def half_written_commit(trap: Trap) -> None:
    """Die with half of the commit's last page in SQLite's log, as when the power fails before it is flushed."""
    real = SqliteWire.commit

    def dying(wire: SqliteWire) -> None:
        real(wire)
        if trap.armed:
            log = Path(wire._driver.execute("PRAGMA database_list").fetchone()[2] + "-wal")
            os.truncate(log, log.stat().st_size - _HALF_A_PAGE)
        trap.spring()

    setattr(SqliteWire, "commit", dying)  # noqa: B010
    # Nothing goes back into the file before the power fails: the last page of the log is the commit's.
    setattr(WriteBack, "committed", lambda _write_back, _entries: None)  # noqa: B010


def behind_statement(start: str) -> Install:
    """Die when the database has done a statement that begins so, and the transaction is not committed."""

    def install(trap: Trap) -> None:
        @event.listens_for(Engine, "after_cursor_execute")
        def done(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith(start):
                trap.spring()

    return install


def before_any_commit(trap: Trap) -> None:
    """Die where SQLAlchemy would commit a transaction of whatever engine."""
    event.listen(Engine, "commit", lambda _connection: trap.spring())


def before_the_cosigned_file(trap: Trap) -> None:
    """Die where a checkpoint with a cosignature below the log's own line would be put into the file."""
    real = LogFiles.publish

    def dying(log: LogFiles, note: str) -> None:
        if note.count("\n— ") > 1:
            trap.spring()
        real(log, note)

    setattr(LogFiles, "publish", dying)  # noqa: B010


def half_written(wanted: Callable[[Path], bool]) -> Install:
    """Die when half of the bytes of a file stand under its temporary name."""

    def install(trap: Trap) -> None:
        real = durable.replace_file

        def dying(path: Path, data: bytes) -> None:
            if trap.armed and wanted(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f".{path.name}.new").write_bytes(data[: len(data) // 2])
                trap.spring()
            real(path, data)

        for module in (durable, files):
            setattr(module, "replace_file", dying)  # noqa: B010

    return install


def half_removed(trap: Trap) -> None:
    """Die when one of the partial tiles that a full one replaces is gone."""
    real = shutil.rmtree

    def dying(folder: Path, **named: Any) -> None:
        if trap.armed:
            next(folder.iterdir()).unlink()
        trap.spring()
        real(folder, **named)

    files.shutil.rmtree = dying  # type: ignore[attr-defined]


def _is_tile(path: Path) -> bool:
    return "tile" in path.parts


def _is_checkpoint(path: Path) -> bool:
    return path.name == "checkpoint"


class CrashPoint(NamedTuple):
    """A point by its name: when it comes, what is stored then, how to get there; `home` if only one home has it."""

    name: str
    stage: Stage
    stored: Stored
    install: Install
    home: str = ""


POINTS = (
    # the group commit
    CrashPoint("before_first_row", "writing", "no", before(Batch, "flush")),
    CrashPoint("between_rows", "writing", "no", on_either_wire(after, "insert")),
    CrashPoint("before_commit", "writing", "no", on_either_wire(before, "commit")),
    CrashPoint("rows_written_not_committed", "writing", "no", at_commit_to_postgres(rows_written), "postgresql"),
    CrashPoint("commit_on_its_way", "writing", "unknown", at_commit_to_postgres(commit_said), "postgresql"),
    CrashPoint("half_written_commit", "writing", "no", half_written_commit, "sqlite"),
    CrashPoint("after_commit_before_answer", "writing", "yes", on_either_wire(after, "commit")),
    # publishing
    CrashPoint("before_read_back", "writing", "unknown", before(Publisher, "_read_back")),
    CrashPoint("after_read_back_before_tiles", "writing", "unknown", before(LogFiles, "grow")),
    CrashPoint("half_written_tile", "writing", "unknown", half_written(_is_tile)),
    CrashPoint("between_tiles", "writing", "unknown", after(LogFiles, "_write")),
    CrashPoint("full_tile_before_partial_ones_go", "writing", "unknown", before(files.shutil, "rmtree")),  # type: ignore[attr-defined]
    CrashPoint("half_of_the_partial_tiles_gone", "writing", "unknown", half_removed),
    CrashPoint("after_tiles_before_checkpoint_row", "writing", "unknown", after(LogFiles, "grow")),
    CrashPoint("checkpoint_row_not_committed", "writing", "unknown", behind_statement("INSERT INTO checkpoint")),
    CrashPoint("after_checkpoint_row_before_file", "writing", "unknown", before(LogFiles, "publish")),
    CrashPoint("half_written_checkpoint_file", "writing", "unknown", half_written(_is_checkpoint)),
    CrashPoint("after_file_before_witness", "witnessed", "unknown", before(WitnessClient, "offer")),
    # what witnesses say
    CrashPoint("cosigned_before_row", "witnessed", "unknown", before(Publisher, "_keep_cosignature")),
    CrashPoint("cosignature_row_not_committed", "witnessed", "unknown", behind_statement("INSERT INTO cosignature")),
    CrashPoint("cosignature_row_before_file", "witnessed", "unknown", before_the_cosigned_file),
    CrashPoint("witness_before_remembering", "witness", "no", before(WitnessFiles, "remember")),
    CrashPoint("witness_half_remembers", "witness", "no", half_written(_is_checkpoint)),
    CrashPoint("witness_remembers_before_answer", "witness", "yes", after(WitnessFiles, "remember")),
    # opening
    CrashPoint("tables_not_committed", "opening", "no", before_any_commit),
    CrashPoint("opened_before_keys", "opening", "no", before(LogFiles, "publish_keys")),
    CrashPoint("opened_before_checkpoint_file", "opening", "unknown", before(LogFiles, "publish")),
)
BY_NAME = {point.name: point for point in POINTS}


def arm_at(name: str) -> Trap:
    """Install a point in this process; one of opening or of a witness is armed at once, the others later."""
    point = BY_NAME[name]
    trap = Trap(armed=point.stage in ("opening", "witness"))
    point.install(trap)
    return trap
