"""SQLite's write-ahead log (WAL) goes back into the database file beside the commits, and not within them.

SQLite does it at the end of a commit, every 1,000 pages, while somebody waits for the answer: after each thousand
entries that takes as long as the commit.  A thread of its own does it as well: readers and the writer go on meanwhile.

Crash points: none of ours.  What was committed stands in the WAL until it stands in the file, and SQLite itself finds
that out when the database is opened again.
"""

import sqlite3
from contextlib import closing, suppress

from sqlalchemy import Engine

from cylinder_trace.store.background import Background

_ENTRIES = 128
"""After so many, which change some thousand pages."""


class WriteBack(Background):
    """Writes the WAL of one SQLite database back; whoever closes the database last writes back what is left."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting = 0
        """Entries since the last time."""
        super().__init__("write-back")

    def committed(self, entries: int) -> None:
        """So many entries more stand in the WAL; for the one thread that commits."""
        self._waiting += entries
        if self._waiting >= _ENTRIES:
            self._waiting = 0
            self.notify()

    def _run(self) -> None:
        with closing(self._engine.raw_connection()) as connection:
            while self._wake.wait() and not self._stop.is_set():
                self._wake.clear()
                # It stays in the WAL if it cannot be done now: nothing is lost, and it is tried again.
                with suppress(sqlite3.Error):
                    connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").close()
