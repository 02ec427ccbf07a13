"""The file of the issue book: one SQLite database that only ever grows, and a sentence for all that can go wrong.

Rows are added and never changed or taken away; triggers see to that, whatever program holds the file. The one time that
a book is rewritten is when it comes from an older version of this program: in one transaction, so that after a kill it
is either the old book or the new one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

_APPLICATION_ID = 0x504C4342  # "PLCB", so that another program's database is not taken for a book
_VERSION = 2
_WAIT_SECONDS = 30
_CACHE_KIB = (
    65_536  # new codes fall anywhere in the index: with SQLite's 2 MB a million of them take several times longer
)
_TABLES = {
    "code_range": """
        range_no INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        allotted INTEGER NOT NULL CHECK (allotted > 0),
        holder TEXT NOT NULL CHECK (length(holder) <= 80),
        scheme TEXT NOT NULL CHECK (scheme IN ('own', 'grai', 'giai')),
        prefix TEXT NOT NULL,
        key_name TEXT NOT NULL,
        key_id TEXT NOT NULL,
        opened_at INTEGER NOT NULL""",
    "issued": """
        range_no INTEGER NOT NULL REFERENCES code_range,
        number INTEGER NOT NULL CHECK (number > 0),
        code TEXT NOT NULL UNIQUE,
        issued_at INTEGER NOT NULL,
        PRIMARY KEY (range_no, number)""",
    "handed_out": """
        range_no INTEGER PRIMARY KEY REFERENCES code_range,
        handed_out_at INTEGER NOT NULL""",
    # a code reaches each state once: so the marks of one state never overlap, and the last one that begins at or before
    # a number is the only one that can cover it
    "mark": """
        mark_no INTEGER PRIMARY KEY,
        range_no INTEGER NOT NULL REFERENCES code_range,
        first INTEGER NOT NULL CHECK (first > 0),
        last INTEGER NOT NULL CHECK (last >= first),
        was TEXT NOT NULL,
        became TEXT NOT NULL,
        marked_at INTEGER NOT NULL,
        note TEXT NOT NULL,
        CHECK (was || ' ' || became IN ('issued printed', 'printed applied', 'issued void', 'printed void')),
        UNIQUE (range_no, became, first)""",
}
_MAKE = tuple(
    statement
    for table, columns in _TABLES.items()
    for statement in (
        f"CREATE TABLE {table} ({columns}){' WITHOUT ROWID' if table == 'issued' else ''}",
        *(
            f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table}"
            " BEGIN SELECT RAISE(ABORT, 'the issue book is append-only'); END"
            for act in ("UPDATE", "DELETE")
        ),
    )
)
TRIGGERS = frozenset(f"{table}_no_{act}" for table in _TABLES for act in ("UPDATE", "DELETE"))
_SET_ASIDE = (
    *(f"DROP TRIGGER {table}_no_{act}" for table in ("issued", "handed_out") for act in ("UPDATE", "DELETE")),
    "ALTER TABLE issued RENAME TO issued_1",
    "ALTER TABLE handed_out RENAME TO handed_out_1",
)
_CARRY_OVER = (
    """INSERT INTO code_range SELECT row_number() OVER (ORDER BY opened_at, batch_id), batch_id, asked, '', 'own', '',
       key_name, key_id, opened_at FROM batch""",
    """INSERT INTO issued SELECT range_no, number, code, issued_at FROM issued_1 JOIN code_range ON name = batch_id
       ORDER BY range_no, number""",
    "INSERT INTO handed_out SELECT range_no, handed_out_at FROM handed_out_1 JOIN code_range ON name = batch_id",
    "DROP TABLE handed_out_1",
    "DROP TABLE issued_1",
    "DROP TABLE batch",
)
_WHAT_TO_DO = {
    "SQLITE_BUSY": f"another process has kept it busy for {_WAIT_SECONDS} seconds: let that end, then try again",
    "SQLITE_NOTADB": "it is not a database, so no issue book: name another file",
    "SQLITE_CORRUPT": "it is damaged, cut short or overwritten: put back your last copy, and use no code that was"
    " issued after that copy was made",
    "SQLITE_CANTOPEN": "it is a folder, or its own folder is not there or may not be written to: name another file",
    "SQLITE_READONLY": "it may only be read by you: ask its owner, or make file and folder writable",
    "SQLITE_FULL": "the disk is full; nothing of this step is kept: make room, then give the same command again",
    "SQLITE_IOERR": "the disk is full or failing; nothing of this step is kept: make room, then give the same command"
    " again",
}


class BookError(Exception):
    """The book cannot be used as asked; the message is one sentence that says what to do."""


class BookFile:
    """The book at ``path``, made when it is not there, brought up to date when it is old; BookError when it is none."""

    def __init__(self, path: str) -> None:
        self.path = path
        with self.explained():
            self.database = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_SECONDS)
            try:
                self._prepare()
            except BaseException:
                self.database.close()
                raise

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what SQLite complains of into a BookError of one sentence."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")  # as long as SQLITE_IOERR_WRITE
            advice = (text for start, text in _WHAT_TO_DO.items() if name.startswith(start))
            raise BookError(f"{self.path} as issue book: {next(advice, str(error))}") from error

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing, and on the disk when it is over; other processes write before or after, not meanwhile."""
        return self._between("BEGIN IMMEDIATE")

    def snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """Several questions answered as of one moment, while others may write."""
        return self._between("BEGIN")

    @contextmanager
    def _between(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self.explained():
            self.database.execute(begin)
            try:
                yield self.database
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:  # a full disk may have ended it already
                    self.database.execute("ROLLBACK")
                raise

    def _prepare(self) -> None:
        self._require_ours()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"cache_size = -{_CACHE_KIB}"):
            self.database.execute(f"PRAGMA {pragma}")
        if self._pragma("user_version") == _VERSION:
            return
        with self.transaction() as database:
            version = self._require_ours()  # again: another process may have been faster
            if version == _VERSION:
                return
            old = version == 1
            for statement in (*(_SET_ASIDE if old else ()), *_MAKE, *(_CARRY_OVER if old else ())):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")

    def _require_ours(self) -> int:
        """Return the version of the book, 0 for a file with nothing in it yet."""
        (tables,) = self.database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            return 0
        if self._pragma("application_id") != _APPLICATION_ID:
            raise BookError(f"{self.path} is another program's database, not an issue book: name another file")
        version = self._pragma("user_version") or 1  # the first version did not number itself
        if version > _VERSION:
            raise BookError(f"{self.path} was written by a newer cylinder-codes: use that one")
        return version

    def _pragma(self, name: str) -> int:
        (value,) = self.database.execute(f"PRAGMA {name}").fetchone()
        return int(value)
