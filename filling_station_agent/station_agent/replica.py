"""The replica (本地副本): what the station knows of its own cylinders, itself and the rules, and how old that is.

It is fetched from the service, signed by the ledger's key, kept on disk and brought up to date by deltas; one delta is
one transaction, so a station is never between two versions.  Every row carries a digest under a key of this device:
a row that does not fit is not believed, and the whole replica is fetched anew.
"""

import hmac
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import SkipValidation

from cylinder_codes.keys import VerifyingKey, decode_base64
from cylinder_codes.stamps import StampReading, compare_stamps, plain_field
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import local_day, parse_day
from cylinder_trace.dead_codes import DIGEST_BYTES, KIND, DeadCodes
from cylinder_trace.enactment import book_on
from cylinder_trace.events import first_fault
from cylinder_trace.locks import Lock, all_told, lock_at, standing_locks
from cylinder_trace.lots import LotState
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook
from cylinder_trace.station import StationState
from cylinder_trace.values import Count, Frozen, Id, Instant
from station_agent.sent import SentCylinders, Signed, Text
from station_agent.sqlite_faults import says_damaged

_SCHEMA = """
create table if not exists cylinders (cylinder_id text primary key, text text not null, digest text not null);
create table if not exists codes (code text primary key, cylinder_id text not null);
create index if not exists codes_of on codes (cylinder_id);
create table if not exists facts (name text primary key, text text not null, digest text not null);
create table if not exists dead (
    kind text primary key, version integer not null, as_of integer not null, bits blob not null, digest text not null);
"""
SCHEMA_VERSION = 1
"""0 had no table `dead`. A replica of a later version is fetched anew: it holds nothing that the service has not."""
_PATIENCE_S = 5.0
"""So long another program that has the file is waited for."""


_FIND = "select c.cylinder_id, c.text, c.digest from codes join cylinders c using (cylinder_id) where code = ?"


class ReplicaRefused(Exception):
    """The service's answer is not believed or does not fit; the replica stays as it was. The text says why."""


class UnknownSigner(ReplicaRefused):
    """Not signed by a key that this station believes: a stranger's, or one that followed on it."""


class ReplicaDamaged(Exception):
    """The replica on disk is not what was written; it must be fetched anew."""


class ReplicaAnswer(Frozen):
    """What the service sends: everything, or what changed since a version."""

    station_id: Id
    version: Count
    """Entries of the log that the answer reflects."""
    since: Count
    """The version that the answer builds on; 0 = it is whole."""
    as_of: Instant
    rulebook: str
    rulebook_name: str
    station: StationState
    cylinders: Annotated[Iterable[CylinderState], SkipValidation] = ()
    """Each made when its turn comes: there may be 100,000."""
    gone: tuple[Id, ...] = ()
    lots: tuple[LotState, ...] = ()
    """The station's gas lots (气质批次), or those of them that changed."""
    rulebooks_to_come: tuple[str, ...] = ()
    """Versions of the rulebook that are published and not yet in force (待施行), the next one first."""
    vkey: str


@dataclass(frozen=True, slots=True)
class Known:
    """The station's knowledge apart from the cylinders, all of one version."""

    version: int
    as_of: int
    """When the knowledge was last known to be complete, by the service's clock, UTC ms (数据时间)."""
    books: tuple[Rulebook, ...]
    """The version in force when the answer was given, and those that begin later."""
    station: StationState
    lots: Mapping[str, LotState] = field(default_factory=dict)
    """Lot id → gas lot of this station."""
    locks: tuple[Lock, ...] = ()
    """The regulator's locks on filling that stand by this station's own trust list, the expired ones too."""

    def book_at(self, at: int) -> Rulebook:
        """The version that decides at a moment (UTC ms); whether it has ended is asked by the decision."""
        return book_on(self.books, local_day(at)) or self.books[0]

    def certified_until(self, worker_id: str) -> str | None:
        """The last day of the certificate that the station knows of a person."""
        return self.station.workers.get(worker_id)

    def is_certified(self, worker_id: str, at: int) -> bool:
        """Whether the station knows a certificate of the person that is in force at a moment (UTC ms)."""
        until = self.certified_until(worker_id)
        return until is not None and local_day(at) <= parse_day(until)

    def is_locked(self, scale_id: str, lane: int, at: int) -> bool:
        """Whether the regulator has locked the scale, its lane or the station at a moment (UTC ms)."""
        scale = self.station.scales.get(scale_id)
        return bool(scale and scale.locked) or lock_at(self.locks, scale_id, lane, at) is not None


class DeadCodesAnswer(Frozen):
    """The list of dead and black codes in the land as the service sends it: whole, or what came since a version."""

    kind: Literal["pinglian-dead-codes/2"]
    version: Count
    since: Count
    as_of: Instant
    count: Count
    bits: str | None = None
    digests: str
    vkey: str


@dataclass(frozen=True, slots=True)
class KnownDead:
    """The list that the station has, of one version of the log."""

    version: int
    as_of: int
    codes: DeadCodes


class Signer(Protocol):
    """Whose signature counts: one key, or all keys of one ledger."""

    def verify(self, signature: bytes, data: Text, /) -> bool:
        """Whether `signature` over `data` is theirs."""


def open_dead_codes(text: Text, log_key: Signer) -> DeadCodesAnswer:
    """The list in `text`, after its signature was checked; raises ReplicaRefused, UnknownSigner."""
    try:
        sent = Signed(text)
        answer = DeadCodesAnswer.model_validate_json(sent.text)
    except ValueError as error:
        raise ReplicaRefused(f"the service's list of codes cannot be read: {type(error).__name__}") from error
    if not log_key.verify(sent.signature, sent.text):
        raise UnknownSigner("the list of codes is not signed by the ledger this station was enrolled with")
    return answer


def take_apart(text: Text) -> Signed:
    """The answer in `text` and its signature, not yet checked; raises ReplicaRefused. A bytearray is used up."""
    try:
        return Signed(text)
    except ValueError as error:
        raise ReplicaRefused(f"the service's answer is no replica: {error}") from error


def open_answer(text: Text | Signed, station_id: str, log_key: Signer) -> ReplicaAnswer:
    """The answer in `text`, after its signature was checked; raises ReplicaRefused, UnknownSigner."""
    sent = text if isinstance(text, Signed) else take_apart(text)
    try:
        cylinders = SentCylinders(sent.text)
        answer = ReplicaAnswer.model_validate_json(cylinders.rest())
    except ValueError as error:
        raise ReplicaRefused(f"the service's answer is no replica: {first_fault(error)}") from error
    if not log_key.verify(sent.signature, sent.text):
        raise UnknownSigner("the replica is not signed by the ledger this station was enrolled with")
    if answer.station_id != station_id or answer.station.station_id != station_id:
        raise ReplicaRefused(f"the replica is for station {answer.station_id}, not for {station_id}")
    return answer.model_copy(update={"cylinders": cylinders})


class Replica:
    """The replica on disk. `known` is None until a first answer has been taken."""

    def __init__(
        self,
        path: Path,
        station_id: str,
        seal_key: bytes,
        regulators: Sequence[VerifyingKey] = (),
        *,
        looking: bool = False,
    ) -> None:
        """Open or make the replica at `path`; a damaged file is thrown away, `was_damaged` then says so.

        One that cannot be had (another program holds it) stays as it is, and this replica is in memory alone.
        `regulators` are the keys whose unlockings count here (监管公钥).  `looking`: the file is another's, who works
        with it, and is only read; raises ReplicaDamaged if it cannot be.
        """
        self._path = path
        self._regulators = tuple(regulators)
        self._locks_told: tuple[Lock, ...] = ()
        self._dead: KnownDead | None = None
        self._station_id = station_id
        self._seal_key = blake2b(seal_key, person=b"pinglian-replica", digest_size=32).digest()
        self._lock = threading.Lock()
        self.known: Known | None = None
        self.was_damaged = False
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._use(self._to_look()) if looking else self._connect(path)
            self._read_known()
        except (ReplicaDamaged, sqlite3.Error) as error:
            if looking:
                self._db.close()
                raise ReplicaDamaged(str(error)) from error
            if isinstance(error, ReplicaDamaged) or says_damaged(error):
                self.forget()
            else:
                self._connect(":memory:")

    def close(self) -> None:
        """Let go of the file, when the thread that is using it is through."""
        with self._lock:
            self._db.close()

    # ------------------------------------------------------------ looking up

    def find(self, code: str) -> CylinderState | None:
        """The cylinder that `code` leads to, alive or dead; None if it is unknown here. Raises ReplicaDamaged."""
        try:  # without `_reading`: this one is on the way of every scan
            with self._lock:
                row = self._db.execute(_FIND, (code,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise ReplicaDamaged(str(error)) from error
        if row is None:
            return None
        cylinder = self._cylinder(row)
        if code not in cylinder.codes and code not in cylinder.voided_codes:
            raise ReplicaDamaged(f"a code leads to {cylinder.cylinder_id}, which does not bear it")
        return cylinder

    def cylinder(self, cylinder_id: str) -> CylinderState | None:
        """The cylinder with this id; None if it is unknown here. Raises ReplicaDamaged."""
        with self._reading() as db:
            query = "select cylinder_id, text, digest from cylinders where cylinder_id = ?"
            row = db.execute(query, (cylinder_id,)).fetchone()
        return self._cylinder(row) if row else None

    def find_by_stamp(self, seen: StampReading) -> list[CylinderState]:
        """The cylinders whose stamp agrees in two of the fields read, the serial one of them, and differs in none.

        Goes through every row, half a second for 100,000: to be called beside the loop, and on a connection of its own,
        so that no lane's scan waits for it.  Raises ReplicaDamaged.
        """
        if seen.serial is None:
            return []
        try:
            with closing(self._to_look()) as db:
                db.create_function("plain", 1, lambda text: plain_field("serial", text or ""), deterministic=True)
                query = "select cylinder_id from cylinders where plain(json_extract(text, '$.stamp.serial')) = ?"
                ids = [id for (id,) in db.execute(query, (plain_field("serial", seen.serial),))]
        except sqlite3.Error as error:
            raise ReplicaDamaged(str(error)) from error
        found = (self.cylinder(cylinder_id) for cylinder_id in ids)
        return [cylinder for cylinder in found if cylinder and compare_stamps(cylinder.stamp, seen).is_match]

    def cylinder_count(self) -> int:
        """How many cylinders are known. Raises ReplicaDamaged."""
        with self._reading() as db:
            return int(db.execute("select count(*) from cylinders").fetchone()[0])

    @property
    def dead(self) -> KnownDead | None:
        """The list of dead and black codes; None until one was taken."""
        return self._dead

    def take_dead_codes(self, answer: DeadCodesAnswer) -> None:
        """Put an opened list on disk; raises ReplicaRefused for one that does not continue what is known."""
        digests = decode_base64(answer.digests) or b""
        bits = decode_base64(answer.bits) if answer.bits else None
        before = self._dead
        if answer.since == 0 and bits:
            codes = DeadCodes(bits)
        elif answer.since and before and before.version == answer.since:
            codes = DeadCodes(bytes(before.codes)) if digests else before.codes
        else:
            raise ReplicaRefused("the list of codes does not begin where the station's ends")
        for start in range(0, len(digests) - DIGEST_BYTES + 1, DIGEST_BYTES):
            codes.add(digests[start : start + DIGEST_BYTES])
        with self._lock, self._writing():
            self._put_dead(KnownDead(answer.version, answer.as_of, codes), is_same=bool(answer.since and not digests))
        self._dead = KnownDead(answer.version, answer.as_of, codes)

    def reference(self) -> dict[str, Any] | None:
        """The clock reference kept beside the data. Raises ReplicaDamaged."""
        return self._fact("clock")

    # ------------------------------------------------------------ bringing up to date

    def take(self, answer: ReplicaAnswer) -> int:
        """Put an opened answer on disk, all of it or nothing; how many cylinders it brought.

        Raises ReplicaRefused for an answer that does not continue what is known, or with a broken rulebook.
        """
        before = self.known
        if answer.since and (before is None or before.version != answer.since):
            raise ReplicaRefused("the delta does not begin where the replica ends")
        if before is not None and answer.version < before.version:
            raise ReplicaRefused(
                f"the service's log has {answer.version} entries, {before.version} were seen before: "
                "call the station manager, the ledger may have been set back"
            )
        known = _known(answer)
        if answer.since and before is not None:
            known = replace(known, lots={**before.lots, **known.lots})
        told = self._told_with(answer)
        known = replace(known, locks=standing_locks(told, self._regulators))
        with self._lock, self._writing():
            if answer.since == 0:
                self._db.execute("delete from cylinders")
                self._db.execute("delete from codes")
            count = self._put_all(answer.cylinders)
            self._db.executemany("delete from cylinders where cylinder_id = ?", [(id,) for id in answer.gone])
            self._db.executemany("delete from codes where cylinder_id = ?", [(id,) for id in answer.gone])
            kept = answer.model_copy(update={"lots": tuple(known.lots.values())})
            self._put_fact("known", kept.model_dump(mode="json", include=_KNOWN_FIELDS, exclude_none=True))
            self._put_fact("locks", {"told": [lock.model_dump(mode="json", exclude_none=True) for lock in told]})
        self.known, self._locks_told = known, told
        return count

    def _put_all(self, cylinders: Iterable[CylinderState]) -> int:
        count = 0
        try:
            for count, cylinder in enumerate(cylinders, 1):  # noqa: B007 - the last number is how many there were
                self._put(cylinder)
        except ValueError as error:
            raise ReplicaRefused(f"a cylinder in the service's answer cannot be read: {first_fault(error)}") from error
        return count

    def _told_with(self, answer: ReplicaAnswer) -> tuple[Lock, ...]:
        """Every lock and unlocking ever told: a service that tells of a lock no more has not unlocked anything.

        What is gone from the answer is dropped once it has expired by the answer's own, signed, clock.
        """
        now = (answer.station.locks or {}).values()
        ours = [lock for lock in now if lock.locked or lock.station_id == self._station_id]
        ids = {lock.id for lock in ours}
        return tuple(
            lock
            for lock in all_told(self._locks_told, ours)
            if lock.id in ids or lock.until is None or lock.until > answer.as_of
        )

    def confirm(self, version: int, as_of: int) -> None:
        """The service said at `as_of` that up to `version` nothing of ours has changed; kept on disk by `keep`."""
        known = self.known
        if known and version >= known.version and as_of > known.as_of:
            self.known = replace(known, version=version, as_of=as_of)

    def keep(self, clock: dict[str, Any] | None) -> None:
        """Keep the age of the data and the clock's reference for the next start."""
        with self._lock, self._writing():
            if self.known:
                self._put_fact("as_of", {"version": self.known.version, "as_of": self.known.as_of})
            if clock:
                self._put_fact("clock", clock)

    def keep_link(self, link: dict[str, Any]) -> None:
        """Keep how the station stands to the service, for `status`, which is another process. Raises ReplicaRefused."""
        with self._lock, self._writing():
            self._put_fact("link", link)

    def link(self) -> dict[str, Any] | None:
        """What `keep_link` kept last. Raises ReplicaDamaged."""
        return self._fact("link")

    def forget(self) -> None:
        """Throw the replica away; it is fetched whole the next time. The locks that were told of are remembered.

        Windows lets nobody remove a file that another program looks at (`status`): then the new one is in memory alone,
        and the damaged one is found again at the next start.
        """
        self.was_damaged = True
        self.known = self._dead = None
        with self._lock:
            self._db.close()
            try:
                for suffix in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                self._connect(self._path)
            except OSError:
                self._connect(":memory:")

    # ------------------------------------------------------------ within

    def _read_known(self) -> None:
        if self._db.execute("pragma quick_check(1)").fetchone()[0] != "ok":
            raise ReplicaDamaged(f"{self._path} is damaged")
        self._dead = self._read_dead()
        fact, confirmed = self._fact("known"), self._fact("as_of")
        if fact is None:
            return
        fields = {"cylinders": (), "gone": (), "since": 0, "vkey": "", **fact}
        try:
            told = (self._fact("locks") or {}).get("told", [])
            self._locks_told = tuple(Lock.model_validate_json(json.dumps(lock)) for lock in told)
            known = _known(ReplicaAnswer.model_validate_json(json.dumps(fields)))
            self.known = replace(known, locks=standing_locks(self._locks_told, self._regulators))
        except (ValueError, ReplicaRefused) as error:
            raise ReplicaDamaged(str(error)) from error
        if self.known.station.station_id != self._station_id:
            raise ReplicaDamaged(f"{self._path} is of another station")
        if confirmed:
            self.confirm(int(confirmed["version"]), int(confirmed["as_of"]))

    def _read_dead(self) -> KnownDead | None:
        with self._reading() as db:
            row = db.execute("select version, as_of, bits, digest from dead where kind = ?", (KIND,)).fetchone()
        if row is None:
            return None
        version, as_of, bits, digest = row
        if not bits or not hmac.compare_digest(digest, self._digest_of_bytes("dead", bits)):
            raise ReplicaDamaged("the list of codes is not what was written")
        return KnownDead(version, as_of, DeadCodes(bits))

    def _put_dead(self, dead: KnownDead, *, is_same: bool) -> None:
        """The bits are tens of megabytes in a large country, so they are written only if they changed."""
        if is_same:
            moved = (dead.version, dead.as_of, KIND)
            self._db.execute("update dead set version = ?, as_of = ? where kind = ?", moved)
            return
        bits = bytes(dead.codes)
        row = (KIND, dead.version, dead.as_of, bits, self._digest_of_bytes("dead", bits))
        self._db.execute("delete from dead")
        self._db.execute("insert into dead values (?, ?, ?, ?, ?)", row)
        self._db.execute("delete from facts where name = 'dead'")  # as version 0 kept it

    def _to_look(self) -> sqlite3.Connection:
        """A connection that changes nothing."""
        place = f"{self._path.resolve().as_uri()}?mode=ro"
        return sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S)

    def _use(self, db: sqlite3.Connection) -> None:
        self._db.close()
        self._db = db

    def _connect(self, place: Path | str) -> None:
        self._use(sqlite3.connect(place, isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S))
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise ReplicaDamaged(f"{self._path} was written by a newer station-agent")
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")  # it can be fetched again
        self._db.executescript(f"begin immediate;{_SCHEMA}pragma user_version = {SCHEMA_VERSION};commit;")

    def _cylinder(self, row: tuple[str, str, str]) -> CylinderState:
        cylinder_id, text, digest = row
        if not hmac.compare_digest(digest, self._digest(cylinder_id, text)):
            raise ReplicaDamaged(f"the row of {cylinder_id} is not what was written")
        return CylinderState.model_validate_json(text)

    def _put(self, cylinder: CylinderState) -> None:
        text, cylinder_id = cylinder.model_dump_json(exclude_none=True), cylinder.cylinder_id
        row = (cylinder_id, text, self._digest(cylinder_id, text))
        self._db.execute("insert or replace into cylinders values (?, ?, ?)", row)
        self._db.execute("delete from codes where cylinder_id = ?", (cylinder_id,))
        codes = [(code, cylinder_id) for code in (*cylinder.codes, *cylinder.voided_codes)]
        self._db.executemany("insert or replace into codes values (?, ?)", codes)

    def _fact(self, name: str) -> dict[str, Any] | None:
        with self._reading() as db:
            row = db.execute("select text, digest from facts where name = ?", (name,)).fetchone()
        if row is None:
            return None
        if not hmac.compare_digest(row[1], self._digest(name, row[0])):
            raise ReplicaDamaged(f"{name} is not what was written")
        fact = json.loads(row[0])
        return fact if isinstance(fact, dict) else None

    def _put_fact(self, name: str, value: dict[str, Any]) -> None:
        text = json.dumps(value, ensure_ascii=False)
        row = (name, text, self._digest(name, text))
        self._db.execute("insert or replace into facts values (?, ?, ?)", row)

    def _digest(self, name: str, text: str) -> str:
        return self._digest_of_bytes(name, text.encode())

    def _digest_of_bytes(self, name: str, content: bytes) -> str:
        digest = blake2b(f"{name}\0".encode(), key=self._seal_key, digest_size=16)
        digest.update(content)
        return digest.hexdigest()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.DatabaseError as error:
                raise ReplicaDamaged(str(error)) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise ReplicaRefused(f"the replica {self._path} cannot be written: {error}") from error


_KNOWN_FIELDS = {
    "station_id", "version", "as_of", "rulebook", "rulebook_name", "station", "lots", "rulebooks_to_come",
}  # fmt: skip


def _known(answer: ReplicaAnswer) -> Known:
    try:
        book, *to_come = (parse_rulebook(text) for text in (answer.rulebook, *answer.rulebooks_to_come))
    except RulebookError as error:
        raise ReplicaRefused(f"the rulebook sent by the service cannot be read: {error}") from error
    if book.name != answer.rulebook_name:
        raise ReplicaRefused(f"the rulebook is called {book.name} inside and {answer.rulebook_name} outside")
    lots = {lot.lot_id: lot for lot in answer.lots}
    return Known(answer.version, answer.as_of, (book, *to_come), answer.station, lots)
