"""Rows about the audit: entries a second over rows that are in memory already, so that the disk does not count.

Two processes alone read a database, as they do in earnest.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, insert
from sqlmodel import SQLModel

from benchmarks.measure import Pair, Row, Scale
from benchmarks.rows import samples
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.audit import Auditor, StoredEntry, read_vkey
from cylinder_trace.chain import EMPTY, Head, next_head, next_link, record_hash, seal
from cylinder_trace.checkpoint import Checkpoint, sign_checkpoint
from cylinder_trace.commands.audit_crew import Crew
from cylinder_trace.commands.auditing import STRETCH, Reading, State
from cylinder_trace.commands.passes import few_collections
from cylinder_trace.events import DeviceEnrolled, HeadSigned, Record, state_event
from cylinder_trace.merkle import HashesInMemory, root_hash
from cylinder_trace.store.audit_reading import DatabaseRows
from cylinder_trace.store.progress import silent
from cylinder_trace.store.tables import EntryRow

_KEY = SigningKey("bench.example/ledger", bytes(32))
_DEVICE = SigningKey("device.example/dev-1", bytes(31) + b"\x01")
_LOG_KEY = read_vkey(format_vkey(_KEY.verifying_key))
_CYLINDERS = 1000
_UPLOAD = 200
"""Records of the device between two signed heads: every second fill is one."""
_CHECKPOINT = 1_000


@cache
def _ledger(entries: int) -> tuple[list[StoredEntry], list[str]]:
    """Rows as they would stand in a database, and a signed checkpoint for every thousand of them."""
    rows: list[StoredEntry] = []
    heads: dict[str, Head] = {}
    for record in _records(entries):
        sealed = seal(record, heads.get(record.subject, EMPTY), samples.NOW + len(rows))
        heads[record.subject] = next_head(sealed)
        entry = sealed.entry
        place = (len(rows), entry.id, entry.subject, entry.n, entry.type, entry.occurred_at, entry.recorded_at)
        rows.append(StoredEntry(*place, sealed.hash, sealed.text))
    leaves = [row.hash for row in rows]
    sizes = range(_CHECKPOINT, entries + 1, max(_CHECKPOINT, entries // 50))
    roots = ((size, root_hash(size, HashesInMemory(leaves[:size]))) for size in sizes)
    return rows, [sign_checkpoint(Checkpoint(origin=_KEY.name, size=size, root=root), _KEY) for size, root in roots]


def _records(entries: int) -> Iterator[Record]:
    enrolled = DeviceEnrolled(station_id="station-1", vkey=format_vkey(_DEVICE.verifying_key))
    yield state_event(enrolled, id="enrol", subject="device/dev-1", occurred_at=samples.NOW, by="account-1")
    yield from (samples.registration(number) for number in range(_CYLINDERS))
    last: Record | None = None
    made, number = 1 + _CYLINDERS, 0
    while made < entries:
        record = samples.fill(number, number % _CYLINDERS)
        if number % 2:
            record = last = record.model_copy(update={"device": next_link("dev-1", last)})
        yield record
        number, made = number + 1, made + 1
        if number % (2 * _UPLOAD) == 0 and last is not None and made < entries:
            yield _head(last)
            made += 1


def _head(last: Record) -> Record:
    assert last.device is not None
    seq, head = last.device.seq, record_hash(last)
    signature = base64.b64encode(_DEVICE.sign(f"pinglian-device-head/1\ndev-1\n{seq}\n{head}\n".encode())).decode()
    event = HeadSigned(seq=seq, head=head, signature=signature)
    return state_event(event, id=f"head-{seq}", subject="device/dev-1", occurred_at=samples.NOW, by="dev-1")


def _per_second(entries: int, action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return entries / (time.perf_counter() - started)


def _audit(rows: Sequence[StoredEntry], notes: Sequence[str], *, integrity: bool) -> None:
    with few_collections():  # as the command does
        auditor = Auditor(notes, _LOG_KEY, integrity=integrity)
        auditor.check(rows)
        report = auditor.finish()
    assert report.ok, report.faults[:3]


def _hash_all(rows: Sequence[StoredEntry]) -> None:
    for row in rows:
        hashlib.sha256(row.text).digest()


@contextmanager
def _prepare_integrity(scale: Scale) -> Iterator[Pair]:
    rows, notes = _ledger(scale.count(100_000))
    count = len(rows)
    yield Pair(
        ours=lambda: _per_second(count, lambda: _audit(rows, notes, integrity=True)),
        other=lambda: _per_second(count, lambda: _hash_all(rows)),
    )


@contextmanager
def _prepare_rate(scale: Scale) -> Iterator[Pair]:
    rows, notes = _ledger(scale.count(100_000))
    yield Pair(
        ours=lambda: _per_second(len(rows), lambda: _audit(rows, notes, integrity=True)), other=lambda: 150_000.0
    )


@contextmanager
def _prepare_full(scale: Scale) -> Iterator[Pair]:
    rows, notes = _ledger(scale.count(100_000))
    yield Pair(
        ours=lambda: _per_second(len(rows), lambda: _audit(rows, notes, integrity=False)), other=lambda: 40_000.0
    )


@contextmanager
def _prepare_incremental(scale: Scale) -> Iterator[Pair]:
    """The last tenth audited behind a state, against the last tenth's share of a whole audit."""
    rows, notes = _ledger(scale.count(100_000))
    old = len(rows) * 9 // 10
    before = Auditor(notes, _LOG_KEY, integrity=True)
    before.check(rows[:old])
    before.finish()
    state = before.state()

    def ours() -> None:
        with few_collections():
            auditor = Auditor(notes, _LOG_KEY, integrity=True)
            auditor.take_up(state)
            auditor.check(rows[old:])
            assert auditor.finish().ok

    yield Pair(
        ours=lambda: _per_second(len(rows) - old, ours),
        other=lambda: _per_second(len(rows), lambda: _audit(rows, notes, integrity=True)),
    )


@contextmanager
def _prepare_two_cores(scale: Scale) -> Iterator[Pair]:
    """A database read, examined and joined as `audit --jobs 2` does it, its processes running already."""
    rows, notes = _ledger(max(scale.count(100_000), 16 * STRETCH))
    count = len(rows)
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        _write_database(url, rows)
        given = Auditor(notes, _LOG_KEY, integrity=True).given_at(0, {})
        with Crew(2, url, None, None, given) as crew:
            yield Pair(
                ours=lambda: _per_second(count, lambda: _read_all(url, notes, crew)),
                other=lambda: _per_second(count, lambda: _read_all(url, notes, None)),
            )


def _write_database(url: str, rows: Sequence[StoredEntry]) -> None:
    engine = create_engine(url)
    SQLModel.metadata.create_all(engine)
    columns = ("log_index", "id", "subject", "n", "type", "occurred_at", "recorded_at", "hash", "text")
    with engine.begin() as connection:
        connection.execute(insert(EntryRow), [dict(zip(columns, row, strict=True)) for row in rows])
    engine.dispose()


def _read_all(url: str, notes: Sequence[str], crew: Crew | None) -> None:
    auditor, source = Auditor(notes, _LOG_KEY, integrity=True), DatabaseRows(url, None)
    end = source.size()
    with few_collections():
        reading = Reading(auditor, source, State(None, auditor), silent)
        reading.spread(crew, 2, end) if crew else reading.alone(end)
    report = auditor.finish()
    source.close()
    assert report.ok, report.faults[:3]


INTEGRITY = Row(
    name="audit.integrity",
    unit="/s",
    better="higher",
    goal=0.1,
    kind="bound",
    against="bare SHA-256 over the same bytes",
    prepare=_prepare_integrity,
)
"""Canonical bytes, chains, tree, checkpoints, device chains and signed heads; one core, no states."""

INTEGRITY_RATE = Row(
    name="audit.integrity_rate",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: 150,000 entries a second and core",
    prepare=_prepare_rate,
)
"""The same, as a figure."""

FULL = Row(
    name="audit.full",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: 40,000 entries a second and core",
    prepare=_prepare_full,
)
"""The same with typed events and the states they add up to."""

TWO_CORES = Row(
    name="audit.two_cores",
    unit="/s",
    better="higher",
    goal=1.7,
    kind="bound",
    against="the same with one process",
    prepare=_prepare_two_cores,
)
"""An integrity audit of a database: rows read and examined by two processes, joined by the one that asked."""

INCREMENTAL = Row(
    name="audit.incremental",
    unit="/s",
    better="higher",
    goal=0.7,
    kind="bound",
    against="new entries a second in a whole audit: an incremental one costs what is new",
    prepare=_prepare_incremental,
)
"""The last tenth of a log, behind the state of an earlier audit."""
