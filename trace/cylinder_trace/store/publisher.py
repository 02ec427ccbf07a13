"""Publishing: committed entries go into tiles, then under a signed checkpoint, at most a second after the commit.

Steps, with what a crash leaves behind:
  1. read the new entries back from the database and hash them again      nothing changed
  2. write and fsync their tiles                                          tiles ahead of the checkpoint: written again
  3. store the signed checkpoint in the database (the commit point)       file behind the database: see 4
  4. replace the checkpoint file                                          written again by whoever publishes next
  5. take it to the witnesses, each in its own thread                     they are asked again at start
  6. keep a cosignature in the database, then put it below the file       file behind the database: see 4
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine, insert
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from cylinder_codes.keys import SigningKey, VerifyingKey
from cylinder_codes.note import NoteSignature, format_lines, sign_text, split_note
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint, unverified_checkpoint
from cylinder_trace.cosignature import LogKey
from cylinder_trace.merkle import NodeReader, leaf_hash, root_hash
from cylinder_trace.rotation import RotationError, parse_rotations, predecessors
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.lead import leads, wait_for_lead
from cylinder_trace.store.publishing import ONE_KEY, LogSigner, Publishing
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.tables import CheckpointRow, CosignatureRow
from cylinder_trace.store.witness_client import WitnessClient, known_alarms
from cylinder_trace.suite import suite_of_origin
from cylinder_trace.tiles import nodes_from_tiles

log = logging.getLogger(__name__)
_LONGEST_WAIT_S = 1.0
_GATHER_S = 0.4
_LOOK_AGAIN_S = 0.02
_CHUNK = 4096
_LEAD = "pinglian-publisher"
"""A leader that stands still in the middle of publishing is one no more, as a writer is."""


class IntegrityAlarm(StoreError):
    """What is stored is not what was hashed, or not what was signed: nothing more is published."""


class Publisher:
    """Publishes checkpoints of one ledger; on PostgreSQL only the process that holds the leader lock does."""

    def __init__(
        self,
        engine: Engine,
        reader: Reader,
        files: LogFiles,
        key: SigningKey,
        clock: Callable[[], int],
        publishing: Publishing = ONE_KEY,
        alarms: Path = Path("alarms"),
    ) -> None:
        """`alarms` is the folder in which a fork that a witness saw is kept."""
        self._engine, self._reader, self._files, self._clock = engine, reader, files, clock
        self._key, self._suite, self._alarms = key, suite_of_origin(key.name), alarms
        self._signer = LogSigner(key, publishing.second, _former_keys(files, key))
        self._witnesses = [
            WitnessClient(witness, self._nodes, self._published, self._keep_cosignature, alarms, clock)
            for witness in publishing.witnesses
        ]
        self._wake = threading.Event()
        self._hurry = threading.Event()
        """Somebody waits for what was committed: it is not gathered first."""
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._one_at_a_time = threading.Lock()
        self._closed = False
        self.halted: str | None = None
        """Why nothing more is published until a person has looked at it; None as long as publishing goes on."""
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Check what was published before, then publish in the background."""
        self._recover()
        self._files.publish_keys(self.vkeys)
        self._thread.start()
        newest = self._reader.checkpoint()
        for witness in self._witnesses:
            witness.start()
            if newest is not None:
                witness.offer(newest[1])
        for alarm in self.alarms():
            log.critical("a witness saw a fork of this log 分叉报警, and nobody has moved the alarm away: %s", alarm)

    @property
    def vkeys(self) -> list[str]:
        """The keys that sign and signed this log's checkpoints, newest first, as text."""
        return self._signer.vkeys

    def alarms(self) -> list[Path]:
        """Forks that witnesses saw, oldest first: each a file that somebody must look at and move away."""
        return known_alarms(self._alarms)

    def notify(self) -> None:
        """Something was committed."""
        self._wake.set()

    def wait_published(self, size: int, timeout_s: float = 2.0) -> bool:
        """Have a checkpoint of at least `size` entries published now, and wait for it; False if it is not in time."""
        deadline = time.monotonic() + timeout_s
        while not self._covers(size):
            self._hurry.set()
            self._wake.set()
            with self._news:
                # Looked at again before long: the leader may be another process, of which nobody tells us.
                self._news.wait(timeout=_LOOK_AGAIN_S)
            if self.halted is not None or time.monotonic() >= deadline:
                return self._covers(size)
        return True

    def _covers(self, size: int) -> bool:
        # The file comes after the database, and is what everybody else sees.
        shown = self._files.published()
        return shown is not None and unverified_checkpoint(shown).size >= size

    def stop(self) -> None:
        """Publish what is committed and stop."""
        self._stop.set()
        self._hurry.set()
        self._wake.set()
        self._thread.join()
        for witness in self._witnesses:
            witness.stop()
        with self._one_at_a_time:  # a witness that answers from now on finds nobody to write it down
            self._closed = True

    def publish(self) -> None:
        """Publish everything committed so far, unless another process is the leader."""
        with self._one_at_a_time:
            full = True
            while full:
                full = self._publish_chunk()
                self._show_newest()

    def _run(self) -> None:
        while True:
            self._wake.wait(timeout=_LONGEST_WAIT_S)
            self._hurry.wait(_GATHER_S)
            stopping = self._stop.is_set()
            self._hurry.clear()
            self._wake.clear()
            try:
                self.publish()
                with self._news:
                    self._news.notify_all()
            except IntegrityAlarm as alarm:
                self.halted = str(alarm)
                log.critical("what is stored is not what was recorded; publishing has stopped", exc_info=True)
                return
            except (SQLAlchemyError, OSError) as error:
                log.warning("checkpoint not published, trying again: %s", error)
            except Exception:
                # whatever it is, the thread lives on and says so
                log.exception("checkpoint not published, trying again")
            if stopping:
                return

    def _recover(self) -> None:
        newest = self._newest()
        if newest is None:
            return
        size, note = newest
        checkpoint = _open(note, self._signer.keys)
        if self._reader.size() < size:
            raise IntegrityAlarm(
                f"the database holds {self._reader.size()} entries, but a checkpoint of {size} was signed: "
                "an old backup was restored or entries were deleted; do not go on, compare with a witness"
            )
        self._require_root(checkpoint)
        self._show_newest()
        self._sign_after_rotation(size, note)

    def _sign_after_rotation(self, size: int, note: str) -> None:
        # The last checkpoint of the old key gets the new key's line too: one publication that both have signed.
        text, lines = split_note(note)
        if all(line.key_id != self._key.key_id for line in lines):
            self._keep_cosignature(size, sign_text(text, self._key))

    def _keep_cosignature(self, size: int, line: NoteSignature) -> None:
        """Keep one more line below the checkpoint of `size`; it is shown as long as that is the newest."""
        row = {"size": size, "key": f"{line.name}+{line.key_id.hex()}", "line": format_lines([line])}
        with self._one_at_a_time:
            if self._closed:
                return  # the witness is asked again at the next start
            with contextlib.suppress(IntegrityError), self._engine.begin() as connection:  # kept already
                connection.execute(insert(CosignatureRow), [row])
            self._show_newest()

    def _show_newest(self) -> None:
        """Have the file say what the database says, whoever was interrupted before it did."""
        newest = self._reader.checkpoint()
        if newest is None or newest[1] == self._files.published():
            return
        with self._engine.begin() as connection:
            # Never the file of an older size over that of a newer one: nobody else publishes in the meantime.
            wait_for_lead(connection, _LEAD)
            newest = self._newest()  # a database that was set back gets no file of its own
            if newest is not None:
                self._files.publish(newest[1])

    def _require_root(self, checkpoint: Checkpoint) -> None:
        """What is signed next grows out of these tiles: a damaged one must not come under a signature."""
        try:
            root = root_hash(checkpoint.size, self._nodes(checkpoint.size), self._suite)
        except (FileNotFoundError, IndexError):  # a tile is gone, or too short
            root = b""
        if root != checkpoint.root:
            raise IntegrityAlarm(
                f"the tiles in the log folder do not have the signed root of {checkpoint.size} entries"
            )

    def _newest(self) -> tuple[int, str] | None:
        """Size and note of the newest checkpoint; IntegrityAlarm when the database was set back, also under us."""
        published = self._files.published()  # first: another process may be publishing more in this moment
        newest = self._reader.checkpoint()
        self._refuse_a_database_set_back(published, newest[0] if newest else 0)
        return newest

    def _refuse_a_database_set_back(self, published: str | None, size: int) -> None:
        # The database is written before the file, so the file is never ahead of it by itself.
        if published and (ahead := _open(published, self._signer.keys).size) > size:
            raise IntegrityAlarm(
                f"a checkpoint of {ahead} entries was published, but the database knows only one of {size}: "
                "an old backup was restored; do not go on, put the newer database back or compare with a witness"
            )

    def _publish_chunk(self) -> bool:
        with self._engine.begin() as connection:
            if not leads(connection, _LEAD):
                return False
            newest = self._newest()
            size = newest[0] if newest else 0
            leaves = self._read_back(size)
            if not leaves and newest is not None:
                return False
            if newest is not None:
                self._require_root(_open(newest[1], self._signer.keys))
            self._files.grow(size, leaves)
            note = self._signed(size + len(leaves))
            row = {"size": size + len(leaves), "note": note, "published_at": self._clock()}
            connection.execute(insert(CheckpointRow), [row])
        for witness in self._witnesses:
            witness.offer(note)
        return len(leaves) == _CHUNK

    def _read_back(self, start: int) -> list[bytes]:
        leaves: list[bytes] = []
        for row in self._reader.entries(start, _CHUNK):
            if row.index != start + len(leaves) or leaf_hash(row.text, self._suite) != row.hash:
                raise IntegrityAlarm(f"entry {row.index} ({row.subject}) is not what was recorded")
            leaves.append(row.hash)
        return leaves

    def _signed(self, size: int) -> str:
        root = root_hash(size, self._nodes(size), self._suite)
        return self._signer.sign(Checkpoint(origin=self._key.name, size=size, root=root), self._clock() // 1000)

    def _published(self) -> int:
        with self._one_at_a_time:
            if self._closed:
                raise OSError("the ledger is closed")
            newest = self._reader.checkpoint()
        return newest[0] if newest else 0

    def _nodes(self, size: int) -> NodeReader:
        return nodes_from_tiles(size, self._files.read_tile, self._suite)


def _former_keys(files: LogFiles, key: SigningKey) -> list[VerifyingKey]:
    try:
        return predecessors(key.verifying_key, parse_rotations(files.rotations()))
    except RotationError as error:
        raise StoreError(f"log/rotations cannot be read ({error}): put back what was published") from error


def _open(note: str, keys: Sequence[LogKey]) -> Checkpoint:
    try:
        return open_checkpoint(note, keys)
    except CheckpointError as error:
        raise IntegrityAlarm(f"the stored checkpoint is not signed by this ledger's key: {error}") from error
