"""The journal (本机日志): every decision and every fill, on this machine's own disk, before anything else knows of it.

Records form one chain: each carries the hash of the one before it, and the device's key signs the head at every upload.
An `append` that returns is on the disk (SQLite, WAL, synchronous=FULL).  Crash points of a fill:

    decision appended   nothing has flowed; the permit dies with the process
    start appended      the valve may open from here on; a start without its end is closed after the restart
    `filled` appended   in the same transaction the start is taken away: a fill has exactly one record

If the disk is full or fails, `JournalBroken` is raised, and a lane that gets it opens nothing.

A journal that is not the one the service knows, because an older copy of it was put back or a clone of it is in use, is
*closed* (封存): refusals are still written down, no fill begins, nothing is uploaded, also after a restart.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cylinder_codes.keys import SigningKey, encode_base64
from cylinder_trace.canonical import CanonicalError
from cylinder_trace.chain import NO_PREVIOUS, next_link, record_hash
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.decision_note import sign_decision
from cylinder_trace.events import DeviceLink, EventError, Record, parse_record, record_text
from cylinder_trace.merkle import leaf_hash
from station_agent.sqlite_faults import says_damaged

_TYPE = "json_extract(cast(text as text), '$.type')"
_SCHEMA = f"""
create table if not exists records (
    seq integer primary key, id text not null unique, hash text not null, occurred_at integer not null,
    log_index integer, status text, text blob not null);
create index if not exists unsettled on records (seq) where log_index is null;
create index if not exists unsent on records (seq) where status is null;
create index if not exists disputed on records (seq) where status = 'disputed';
create index if not exists dated on records (occurred_at);
create index if not exists typed on records ({_TYPE}, seq);
create table if not exists starts (check_id text primary key, text text not null);
create table if not exists notes (n integer primary key, at integer not null, text text not null);
create table if not exists meta (name text primary key, value text not null);
"""
SCHEMA_VERSION = 1
"""0 had the same tables without the indexes `unsent`, `disputed`, `dated` and `typed`. Each step only adds, none
rewrites a record: a journal is the same chain before and after an upgrade."""


_AT_ONCE = 1_000


class JournalBroken(Exception):
    """The journal cannot be written or read; no valve may open. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Start:
    """A fill that has begun: enough to close it with a record if the agent does not live to see its end."""

    check_id: str
    code: str | None
    cylinder_id: str
    scale_id: str
    lane: int
    worker_id: str
    tare_g: int
    empty_gross_g: int
    stop_at_gross_g: int
    started_at: int
    seen_gross_g: int
    """The last weight that was noted while gas flowed."""
    checker_id: str | None = None


_START = tuple(field.name for field in fields(Start))


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One record as it lies on the disk, and what the service said of it."""

    seq: int
    id: str
    text: bytes
    hash: str
    log_index: int | None
    status: str | None


class Journal:
    """The open journal of one device. Safe to use from several threads; one call at a time writes."""

    def __init__(self, path: Path, device_id: str, key: SigningKey) -> None:
        """Open or make the journal at `path`; raises JournalBroken if it is damaged or of another device."""
        self._path = path
        self._device_id = device_id
        self._key = key
        self._lock = threading.Lock()
        with self._troubles():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._move_up()
        self._require_device()
        self._next = self._read_next()
        """The link of the next record; of the last one only its hash is needed, so it is not hashed again."""
        self._closed = self._read_closed()

    def close(self) -> None:
        """Let go of the file, when the thread that is using it is through."""
        with self._lock:
            self._db.close()

    # ------------------------------------------------------------ writing

    def append(self, record: Record, *, closes: str | None = None) -> Record:
        """Put `record` behind the last one and return it with its link; on return it is on the disk.

        `closes` names the start that this record is the end of.  The same record again changes nothing.
        Raises JournalBroken.
        """
        with self._lock:
            with self._transaction():
                if known := self._found(record):
                    return known
                linked = record.model_copy(update={"device": self._next})
                digest = self._insert(linked)
                if closes is not None:
                    self._db.execute("delete from starts where check_id = ?", (closes,))
            self._next = DeviceLink(id=self._device_id, seq=self._next.seq + 1, prev=digest)
            return linked

    def begin(self, start: Start) -> None:
        """Note durably that the valve may open from now on; raises JournalBroken."""
        if self._closed is not None:
            raise JournalBroken(f"The journal {self._path} is closed: {self._closed}")
        self._put_start(start)

    def _put_start(self, start: Start) -> None:
        text = json.dumps({name: getattr(start, name) for name in _START})
        with self._lock, self._transaction():
            self._db.execute("insert or replace into starts values (?, ?)", (start.check_id, text))

    def weighed(self, start: Start, gross_g: int) -> None:
        """Note how far a running fill has come; raises JournalBroken."""
        self._put_start(replace(start, seen_gross_g=gross_g))

    def abandon(self, check_id: str) -> None:
        """Take a start away to which no gas flowed; raises JournalBroken."""
        with self._lock, self._transaction():
            self._db.execute("delete from starts where check_id = ?", (check_id,))

    def note(self, at: int, fields: dict[str, Any]) -> None:
        """Keep what happened at a lane but is no event of the ledger, such as a scan during a fill."""
        text = json.dumps(fields, ensure_ascii=False)
        with self._lock, self._transaction():
            self._db.execute("insert into notes (at, text) values (?, ?)", (at, text))

    def settle(self, answers: Sequence[tuple[int, str, int | None]]) -> None:
        """Keep the service's answers (seq, status, index in its log); they are not asked for again.

        What it says of a record that it has answered for before changes nothing: "known" would hide a dispute.
        """
        with self._lock, self._transaction():
            self._db.executemany(
                "update records set status = ?, log_index = ? where seq = ? and status is null",
                [(status, index, seq) for seq, status, index in answers],
            )

    def close_for_good(self, because: str) -> None:
        """No fill begins any more with this journal, also after a restart; raises JournalBroken."""
        with self._lock, self._transaction():
            self._db.execute("insert or ignore into meta values ('closed', ?)", (because,))
        self._closed = self._closed or because

    # ------------------------------------------------------------ reading

    @property
    def last_at(self) -> int:
        """The latest date on any record, UTC milliseconds; 0 in an empty journal."""
        return int(self._one("select coalesce(max(occurred_at), 0) from records"))

    @property
    def closed_because(self) -> str | None:
        """Why no fill may begin with this journal; None while it is in order."""
        return self._closed

    @property
    def length(self) -> int:
        """How many records there are."""
        return self._next.seq

    def open_starts(self, scale_id: str | None = None) -> list[Start]:
        """Fills that began and have no end yet, of one scale or of all."""
        rows = self._rows("select text from starts order by check_id")
        starts = [Start(**json.loads(text)) for (text,) in rows]
        return [start for start in starts if scale_id in (None, start.scale_id)]

    def unsent_count(self) -> int:
        """How many records the service has not answered for."""
        return int(self._one("select count(*) from records where status is null"))

    def disputed_count(self) -> int:
        """How many records differ from what the service had decided."""
        return int(self._one("select count(*) from records where status = 'disputed'"))

    def disputed(self, limit: int = 10) -> list[JournalLine]:
        """The newest records about which the service knew more than the station."""
        rows = self._rows(
            "select seq, id, cast(text as blob), hash, log_index, status from records"
            " where status = 'disputed' order by seq desc limit ?",
            (limit,),
        )
        return [JournalLine(*row) for row in rows]

    def newest(self, type: str, limit: int) -> list[Record]:
        """The newest records of one type, the last one first."""
        query = f"select cast(text as blob) from records where {_TYPE} = ? order by seq desc limit ?"  # noqa: S608
        return [parse_record(text) for (text,) in self._rows(query, (type, limit))]

    def first_unsent(self) -> int:
        """Sequence number of the oldest record the service has not answered for, or of the next one."""
        first = self._one("select min(seq) from records where status is null")
        return self.length if first is None else int(first)

    def lines(self, start: int = 0, limit: int = -1) -> list[JournalLine]:
        """Records from sequence number `start` on, oldest first."""
        rows = self._rows(
            "select seq, id, cast(text as blob), hash, log_index, status from records"
            " where seq >= ? order by seq limit ?",
            (start, limit),
        )
        return [JournalLine(*row) for row in rows]

    def unseen(self, version: int) -> list[tuple[Record, int | None]]:
        """Own records that a copy of the ledger with `version` entries does not hold yet, with their index."""
        rows = self._rows(
            "select text, log_index from records where log_index is null or log_index >= ? order by seq", (version,)
        )
        return [(Record.model_validate_json(text), index) for text, index in rows]

    def recent(self, words: Sequence[str], within: int) -> list[bytes]:
        """Texts of those of the last `within` records in whose id one of `words` stands, the newest first."""
        clause = " or ".join("instr(id, ?)" for _ in words)
        query = f"select cast(text as blob) from records where seq > ? and ({clause}) order by seq desc"  # noqa: S608
        rows = self._rows(query, (self.length - 1 - within, *words))
        return [text for (text,) in rows]

    def find(self, record_id: str) -> Record | None:
        """The record with this id."""
        rows = self._rows("select text from records where id = ?", (record_id,))
        return Record.model_validate_json(rows[0][0]) if rows else None

    def notes(self) -> list[dict[str, Any]]:
        """All notes, oldest first."""
        return [{"at": at, **json.loads(text)} for at, text in self._rows("select at, text from notes order by n")]

    def sign_head(self, line: JournalLine) -> dict[str, Any]:
        """The head of the chain as of `line`, signed by the device: it stands for every record up to there."""
        said = head_text(self._device_id, line.seq, line.hash)
        return {"seq": line.seq, "hash": line.hash, "signature": encode_base64(self._key.sign(said))}

    def sign_decision(self, request: FillRequest, decision: Decision, inputs_sha256: str) -> str:
        """The note in which this device stands by a decision that it took."""
        return sign_decision(request, decision, inputs_sha256, self._key)

    def verify(self) -> int:
        """Check the whole chain from its first record; returns its length, raises JournalBroken naming the place."""
        before, place = NO_PREVIOUS, 0
        while lines := self.lines(place, _AT_ONCE):
            for line in lines:
                fault = fault_in(line, place, before, self._device_id)
                if fault:
                    raise self._damaged(f"record {line.seq} {fault}")
                before, place = line.hash, place + 1
        return place

    # ------------------------------------------------------------ within

    def _move_up(self) -> None:
        """Make the tables, or move those of an earlier version up. Raises JournalBroken for a later one."""
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise JournalBroken(
                f"The journal {self._path} was written by a newer station-agent (format {version}, this one knows "
                f"{SCHEMA_VERSION}); install that version again."
            )
        if version < SCHEMA_VERSION or not self._db.execute("select 1 from sqlite_schema limit 1").fetchone():
            self._db.executescript(f"begin immediate;{_SCHEMA}pragma user_version = {SCHEMA_VERSION};commit;")

    def _read_closed(self) -> str | None:
        row = self._rows("select value from meta where name = 'closed'")
        return str(row[0][0]) if row else None

    def _found(self, record: Record) -> Record | None:
        row = self._db.execute("select text from records where id = ?", (record.id,)).fetchone()
        if row is None:
            return None
        known = Record.model_validate_json(row[0])
        if record_text(known.model_copy(update={"device": None})) != record_text(record):
            raise JournalBroken(f"The journal already holds another record {record.id}; call the station manager.")
        return known

    def _insert(self, record: Record) -> str:
        """Write a record at its place; its hash."""
        text = record_text(record)
        digest = leaf_hash(text).hex()
        row = (self._next.seq, record.id, digest, record.occurred_at, text)
        self._db.execute("insert into records (seq, id, hash, occurred_at, text) values (?, ?, ?, ?, ?)", row)
        return digest

    def _require_device(self) -> None:
        row = self._rows("select value from meta where name = 'device_id'")
        if not row:
            with self._lock, self._transaction():
                self._db.execute("insert into meta values ('device_id', ?)", (self._device_id,))
        elif row[0][0] != self._device_id:
            raise JournalBroken(
                f"The journal {self._path} belongs to device {row[0][0]}, not to {self._device_id}: put back the "
                "folder in which the two were together, or enrol into an empty one."
            )

    def _read_next(self) -> DeviceLink:
        last = self.lines(max(0, int(self._one("select coalesce(max(seq), 0) from records"))))
        if not last:
            return next_link(self._device_id, None)
        line = last[-1]
        try:
            record = parse_record(line.text)
        except (CanonicalError, EventError) as error:
            raise self._damaged(f"record {line.seq}: {error}") from error
        if record_hash(record) != line.hash:
            raise self._damaged(f"record {line.seq} does not fit its hash")
        return next_link(self._device_id, record)

    def _damaged(self, what: str) -> JournalBroken:
        return JournalBroken(
            f"The journal {self._path} is damaged: {what}. Nothing is filled with it: keep its folder as it is for the "
            "inspector, call the station manager, and enrol this machine anew into an empty folder."
        )

    def _one(self, query: str) -> Any:
        return self._rows(query)[0][0]

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, self._troubles():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._troubles():
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if says_damaged(error):
                raise self._damaged(str(error)) from error
            raise JournalBroken(
                f"The journal {self._path} cannot be used: {error}. Valves stay shut; free or mend the disk."
            ) from error


def head_text(device_id: str, seq: int, head: str) -> bytes:
    """What a device signs to vouch for its chain up to record `seq`."""
    return f"pinglian-device-head/1\n{device_id}\n{seq}\n{head}\n".encode()


def fault_in(line: JournalLine, place: int, before: str | None, device_id: str) -> str | None:
    """What is wrong with the record at `place` of a device's chain; `before` is None where nobody has that one."""
    try:
        record = parse_record(line.text)
    except (CanonicalError, EventError) as error:
        return f"cannot be read: {error}"
    link = record.device
    checks: dict[str, Callable[[], bool]] = {
        "is missing or out of place": lambda: line.seq == place,
        "does not fit its hash": lambda: leaf_hash(line.text).hex() == line.hash,
        "carries no place in this device's chain": lambda: link is not None and link.id == device_id,
        "does not follow the record before it": lambda: (
            link is not None and link.seq == place and before in (None, link.prev)
        ),
    }
    return next((fault for fault, holds in checks.items() if not holds()), None)
