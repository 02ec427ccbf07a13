"""Publishing: committed entries go into tiles, then under a signed checkpoint, at most a second after the commit.

Steps, with what a crash leaves behind:
  1. read the new entries back from the database and hash them again      nothing changed
  2. write and fsync their tiles                                          tiles ahead of the checkpoint: written again
  3. store the signed checkpoint in the database (the commit point)       file behind the database: written at start
  4. replace the checkpoint file
"""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection, Engine, insert, text
from sqlalchemy.exc import SQLAlchemyError

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, sign_checkpoint
from cylinder_trace.merkle import leaf_hash, root_hash
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import CheckpointRow
from cylinder_trace.tiles import nodes_from_tiles

log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 1.0
_GATHER_S = 0.2
_CHUNK = 4096


class IntegrityAlarm(StoreError):
    """What is stored is not what was hashed, or not what was signed: nothing more is published."""


class Publisher:
    """Publishes checkpoints of one ledger; on PostgreSQL only the process that holds the leader lock does."""

    def __init__(
        self, engine: Engine, reader: Reader, files: LogFiles, key: SigningKey, clock: Callable[[], int]
    ) -> None:
        self._engine, self._reader, self._files, self._key, self._clock = engine, reader, files, key, clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Check what was published before, then publish in the background."""
        self._recover()
        self._files.publish_keys([format_vkey(self._key.verifying_key)])
        self._thread.start()

    def notify(self) -> None:
        """Something was committed."""
        self._wake.set()

    def stop(self) -> None:
        """Publish what is committed and stop."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def publish(self) -> None:
        """Publish everything committed so far, unless another process is the leader."""
        with self._one_at_a_time:
            while self._publish_chunk():
                pass

    def _run(self) -> None:
        while True:
            self._wake.wait(timeout=_LONGEST_WAIT_S)
            stopping = self._stop.wait(_GATHER_S)
            self._wake.clear()
            try:
                self.publish()
            except IntegrityAlarm:
                log.critical("the stored entries differ from what was recorded; publishing has stopped", exc_info=True)
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning("checkpoint not published, trying again: %s", error)
            if stopping:
                return

    def _recover(self) -> None:
        newest = self._reader.checkpoint()
        self._refuse_a_database_set_back(newest[0] if newest else 0)
        if newest is None:
            return
        size, note = newest
        checkpoint = _open(note, self._key)
        if self._reader.size() < size:
            raise IntegrityAlarm(
                f"the database holds {self._reader.size()} entries, but a checkpoint of {size} was signed: "
                "an old backup was restored or entries were deleted; do not go on, compare with a witness"
            )
        self._require_root(checkpoint)
        self._files.publish(note)

    def _require_root(self, checkpoint: Checkpoint) -> None:
        """What is signed next grows out of these tiles: a damaged one must not come under a signature."""
        nodes = nodes_from_tiles(checkpoint.size, self._files.read_tile)
        if root_hash(checkpoint.size, nodes) != checkpoint.root:
            raise IntegrityAlarm(
                f"the tiles in the log folder do not have the signed root of {checkpoint.size} entries"
            )

    def _refuse_a_database_set_back(self, size: int) -> None:
        # The database is written before the file, so the file is never ahead of it by itself.
        published = self._files.published()
        if published and (ahead := _open(published, self._key).size) > size:
            raise IntegrityAlarm(
                f"a checkpoint of {ahead} entries was published, but the database knows only one of {size}: "
                "an old backup was restored; do not go on, put the newer database back or compare with a witness"
            )

    def _publish_chunk(self) -> bool:
        with self._engine.begin() as connection:
            if not _is_leader(connection):
                return False
            newest = self._reader.checkpoint()
            size = newest[0] if newest else 0
            leaves = self._read_back(size)
            if not leaves and newest is not None:
                return False
            if newest is not None:
                self._require_root(_open(newest[1], self._key))
            self._files.grow(size, leaves)
            note = self._signed(size + len(leaves))
            row = {"size": size + len(leaves), "note": note, "published_at": self._clock()}
            connection.execute(insert(CheckpointRow), [row])
        self._files.publish(note)
        return len(leaves) == _CHUNK

    def _read_back(self, start: int) -> list[bytes]:
        leaves: list[bytes] = []
        for row in self._reader.entries(start, _CHUNK):
            if row.index != start + len(leaves) or leaf_hash(row.text) != row.hash:
                raise IntegrityAlarm(f"entry {row.index} ({row.subject}) is not what was recorded")
            leaves.append(row.hash)
        return leaves

    def _signed(self, size: int) -> str:
        root = root_hash(size, nodes_from_tiles(size, self._files.read_tile))
        return sign_checkpoint(Checkpoint(origin=self._key.name, size=size, root=root), self._key)


def _open(note: str, key: SigningKey) -> Checkpoint:
    try:
        return open_checkpoint(note, [key.verifying_key])
    except CheckpointError as error:
        raise IntegrityAlarm(f"the stored checkpoint is not signed by this ledger's key: {error}") from error


def _is_leader(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('pinglian-publisher'))")))
