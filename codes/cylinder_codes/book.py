"""The issue book (发码簿): which codes the command line has issued, in one SQLite file that only ever grows.

A *batch* is one request for codes: so many, under this key. Codes enter in steps of one transaction each,
numbered 1, 2, 3 … within their batch, and a step counts the batch anew before it adds to it. So after a kill
the same call goes on where the last whole step ended: no number twice, none left out, and never more than
were asked for, even with two processes at work on one batch. A batch counts as open until its codes are handed
out in a file that is whole.

Worked example: 10 000 codes asked, the process killed after three steps of 2 000. The book then says 6 000 of
10 000; the next call adds numbers 6 001 to 10 000. What was drawn but not yet written at the kill was seen by
nobody.

The register itself (which code is on which cylinder, which is dead) is not here: that is the ledger's.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import PAYLOAD_BYTES, Code, make_code

CODES_PER_STEP = 2000
_APPLICATION_ID = 0x504C4342  # "PLCB", so that another program's database is not taken for a book
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (
    batch_id TEXT PRIMARY KEY,
    asked INTEGER NOT NULL CHECK (asked > 0),
    key_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    opened_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS issued (
    code TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL REFERENCES batch,
    number INTEGER NOT NULL CHECK (number > 0),
    issued_at INTEGER NOT NULL,
    UNIQUE (batch_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS handed_out (
    batch_id TEXT PRIMARY KEY REFERENCES batch,
    handed_out_at INTEGER NOT NULL
) WITHOUT ROWID;
"""
_APPEND_ONLY = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{act} BEFORE {act} ON {table}
BEGIN SELECT RAISE(ABORT, 'the issue book is append-only'); END;
"""


class BookError(Exception):
    """The book cannot be used as asked; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request for codes: how many were asked for, and how many the book holds by now."""

    batch_id: str
    asked: int
    issued: int
    key_name: str
    key_id: str
    handed_out: bool = False
    """Whether the codes have left the book in a file that is whole."""

    @property
    def complete(self) -> bool:
        """Whether every code asked for is in the book."""
        return self.issued == self.asked


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """One line of the book; ``issued_at`` in UTC milliseconds."""

    number: int
    code: Code
    issued_at: int


class IssueBook:
    """A book at ``path``, made when it is not there. Raises BookError for a file that is something else."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._prepare()
        except sqlite3.Error as error:
            raise BookError(f"{path} cannot be opened as an issue book: {error}") from error

    def close(self) -> None:
        """Close the file; everything issued is on the disk already."""
        self._database.close()

    def unfinished(self) -> list[Batch]:
        """Return the batches that a kill kept from being handed out."""
        return [batch for batch in self._batches() if not batch.handed_out]

    def open_batch(self, batch_id: str | None, asked: int, key: TagKey, opened_at: int) -> Batch:
        """Open a new batch, or come back to an unfinished one.

        Without a ``batch_id``, an unfinished batch of the same size and key is taken up again; otherwise a
        new one gets the next free name. BookError when the batch named was opened for another size or key.
        """
        key_id = key.key_id.hex()
        with self._transaction():
            batches = {batch.batch_id: batch for batch in self._batches()}
            if batch_id is None:
                same = (b for b in batches.values() if not b.handed_out and (b.asked, b.key_id) == (asked, key_id))
                found = next(same, None)
                batch_id = found.batch_id if found else _free_name(batches)
            if batch_id not in batches:
                row = (batch_id, asked, key.name, key_id, opened_at)
                self._database.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?)", row)
                return Batch(batch_id, asked, 0, key.name, key_id)
        return _require_same(batches[batch_id], asked, key)

    def issue_step(self, batch: Batch, key: TagKey, random_bytes: Callable[[int], bytes], issued_at: int) -> Batch:
        """Add the next codes of ``batch`` durably, CODES_PER_STEP at most, and return how far it is now."""
        with self._transaction():
            issued = self._count(batch.batch_id)
            last = min(issued + CODES_PER_STEP, batch.asked)
            rows = [
                (make_code(random_bytes(PAYLOAD_BYTES), key).text, batch.batch_id, number, issued_at)
                for number in range(issued + 1, last + 1)
            ]
            try:
                self._database.executemany("INSERT INTO issued VALUES (?, ?, ?, ?)", rows)
            except sqlite3.IntegrityError as error:
                # 80 random bits do not repeat by chance, so this is a broken random source: stop at once
                raise BookError(f"{self._path}: a new code is in the book already; do not use this machine") from error
        return Batch(batch.batch_id, batch.asked, last, batch.key_name, batch.key_id)

    def mark_handed_out(self, batch: Batch, handed_out_at: int) -> None:
        """Note that the codes of ``batch`` are in a file, so that the next request is a new one."""
        with self._transaction():
            row = batch.batch_id, handed_out_at
            self._database.execute("INSERT OR IGNORE INTO handed_out VALUES (?, ?)", row)

    def codes_of(self, batch_id: str) -> Iterator[IssuedCode]:
        """Return the codes of a batch in the order of their numbers."""
        query = "SELECT number, code, issued_at FROM issued WHERE batch_id = ? ORDER BY number"
        for number, code, issued_at in self._database.execute(query, (batch_id,)):
            yield IssuedCode(number, Code(code), issued_at)

    def _prepare(self) -> None:
        (application_id,) = self._database.execute("PRAGMA application_id").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application_id != _APPLICATION_ID and tables:
            raise BookError(f"{self._path} is another program's database, not an issue book: name another file")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        if not tables:
            triggers = [
                _APPEND_ONLY.format(table=t, act=a)
                for t in ("batch", "issued", "handed_out")
                for a in ("UPDATE", "DELETE")
            ]
            marker = f"PRAGMA application_id = {_APPLICATION_ID};"
            self._database.executescript(f"BEGIN IMMEDIATE; {marker} {_SCHEMA} {' '.join(triggers)} COMMIT;")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise BookError(f"{self._path} could not be written, nothing of this step is kept: {error}") from error

    def _batches(self) -> list[Batch]:
        query = """
            SELECT batch_id, asked, (SELECT count(*) FROM issued WHERE issued.batch_id = batch.batch_id),
                   key_name, key_id, batch_id IN (SELECT batch_id FROM handed_out)
            FROM batch ORDER BY opened_at, batch_id"""
        rows = self._database.execute(query).fetchall()
        return [
            Batch(name, asked, issued, key_name, key_id, bool(handed_out))
            for name, asked, issued, key_name, key_id, handed_out in rows
        ]

    def _count(self, batch_id: str) -> int:
        query = "SELECT count(*) FROM issued WHERE batch_id = ?"
        (count,) = self._database.execute(query, (batch_id,)).fetchone()
        return int(count)


def _free_name(taken: dict[str, Batch]) -> str:
    number = len(taken) + 1
    while f"batch-{number:04d}" in taken:
        number += 1
    return f"batch-{number:04d}"


def _require_same(batch: Batch, asked: int, key: TagKey) -> Batch:
    if batch.asked != asked:
        raise BookError(f"{batch.batch_id} was opened for {batch.asked} codes, not {asked}: name another batch")
    if batch.key_id != key.key_id.hex():
        raise BookError(f"{batch.batch_id} was opened with the key {batch.key_name}: use that key, or another batch")
    return batch
