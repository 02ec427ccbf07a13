"""Three attackers of a ledger in SQLite, by what they can do; each leaves a whole data folder behind.

    A  changes bytes and rows of the database by hand, and recomputes nothing
    B  owns the database: recomputes every hash, chain, tile, device journal and read model, and takes away the
       checkpoints that no longer fit
    C  holds the log's key too: signs new checkpoints

None of them holds a device's key, and none reaches what a witness or client kept.
"""

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import events
from cylinder_trace.canonical import canonical_json
from cylinder_trace.chain import next_link
from cylinder_trace.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from cylinder_trace.events import Record, parse_entry, record_text, state_event
from cylinder_trace.merkle import HashesInMemory, leaf_hash, root_hash
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.journals import Uploaded, keep_record
from cylinder_trace.store.unit import Unit
from cylinder_trace.subjects import SubjectState, format_state, kind_of, next_subject_state
from ledgers.homes import KEY, START, Home, bound, condemned, registered, returned

DEVICE = SigningKey("device.example/dev_1", bytes(31) + b"\x01")
STATION = ("station/st_1",)
Json = dict[str, Any]
Change = Callable[[list[Json]], list[Json]]


def make_ledger(folder: Path) -> Path:
    """A sound ledger: cylinders, one condemned, a device's fills under its signed heads; two checkpoints or more."""
    folder.mkdir(parents=True)
    home = Home(f"sqlite:///{folder}/ledger.db", folder)
    with home.open() as ledger:
        fill_ledger(ledger)
    return folder


def fill_ledger(ledger: Any) -> None:
    """Append what `make_ledger` is made of."""
    ledger.append([registered(number) for number in range(6)])
    ledger.append([bound(number) for number in range(6)])
    ledger.publisher.publish()
    enrolled = events.DeviceEnrolled(station_id="st_1", vkey=format_vkey(DEVICE.verifying_key))
    ledger.append([_by("dev_1", enrolled, "enrol", "device/dev_1")])
    ledger.transact(lambda unit: _upload(unit, [], 0, 3))
    uploaded = [
        record for record in (parse_entry(row.text).record() for row in ledger.reader.entries()) if record.device
    ]
    ledger.append([condemned(5), returned(0, "back.0")])
    ledger.publisher.publish()
    ledger.transact(lambda unit: _upload(unit, uploaded, 3, 6))
    ledger.append([returned(1, "back.1"), returned(2, "back.2")])


def _by(author: str, event: events.Event, id: str, subject: str, **more: Any) -> Record:
    return state_event(event, id=id, subject=subject, occurred_at=START, by=author, **more)


def _upload(unit: Unit, before: list[Record], first: int, end: int) -> None:
    """What the service does with a device's records: entries, journal rows, and the signed head."""
    last = before[-1] if before else None
    for seq in range(first, end):
        event = events.Returned(station_id="st_1")
        subject = f"cylinder/cyl_{seq % 5}"
        last = _by("dev_1", event, f"dev.{seq}", subject, refs=STATION, device=next_link("dev_1", last))
        receipt = unit.append(last)
        text = record_text(last)
        keep_record(unit, Uploaded("dev_1", seq, leaf_hash(text).hex(), last.id, "stored", receipt.index, text))
    assert last is not None
    head = leaf_hash(record_text(last)).hex()
    signature = DEVICE.sign(f"pinglian-device-head/1\ndev_1\n{end - 1}\n{head}\n".encode())
    signed = events.HeadSigned(seq=end - 1, head=head, signature=base64.b64encode(signature).decode())
    unit.append(_by("dev_1", signed, f"head.{end - 1}", "device/dev_1"))


# --- the database by hand ---------------------------------------------------------------------------------------


@contextmanager
def by_hand(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database, its triggers gone."""
    connection = sqlite3.connect(folder / "ledger.db", isolation_level=None)
    try:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
    finally:
        connection.close()


def entries_in(folder: Path) -> list[Json]:
    """Every entry, parsed."""
    with by_hand(folder) as database:
        return [json.loads(row[0]) for row in database.execute("SELECT text FROM entry ORDER BY log_index")]


def recompute(folder: Path, change: Change, *, sign: bool) -> None:
    """Attackers B and C: the same ledger with `change` made to its entries, all else made to fit."""
    entries = _chained(change(entries_in(folder)))
    texts = [canonical_json(entry) for entry in entries]
    hashes = [leaf_hash(text) for text in texts]
    with by_hand(folder) as database:
        database.execute("DELETE FROM entry")
        rows = zip(range(len(entries)), entries, hashes, texts, strict=True)
        database.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?)", [_row(*row) for row in rows])
        _read_model(database, entries, hashes)
        _indexes(database, entries)
        _journal(database, entries)
        newest = _checkpoints(database, hashes, sign=sign)
    shutil.rmtree(folder / "log" / "tile")
    files = LogFiles(folder / "log")
    (folder / "log" / "checkpoint").unlink()
    if newest is not None:
        files.grow(0, hashes[: parse_checkpoint(newest).size])
        files.publish(newest)


def _row(index: int, entry: Json, leaf: bytes, text: bytes) -> tuple[Any, ...]:
    columns = [entry[name] for name in ("id", "subject", "n", "type", "occurred_at", "recorded_at")]
    return (index, *columns, leaf, text)


def _chained(entries: list[Json]) -> list[Json]:
    """Positions, predecessors, device chains and the hash under each head; the head's signature stays as it was."""
    ends: dict[str, tuple[int, str]] = {}
    last: Record | None = None
    for entry in entries:
        if "device" in entry:
            entry["device"] = next_link("dev_1", last).model_dump()
        if entry["type"] == "head_signed" and last is not None and last.device is not None:
            entry["data"] |= {"seq": last.device.seq, "head": leaf_hash(record_text(last)).hex()}
        entry["n"], entry["prev"] = ends.get(entry["subject"], (0, "0" * 64))
        text = canonical_json(entry)
        ends[entry["subject"]] = entry["n"] + 1, leaf_hash(text).hex()
        if "device" in entry:
            last = parse_entry(text).record()
    return entries


def _read_model(database: sqlite3.Connection, entries: list[Json], hashes: list[bytes]) -> None:
    states: dict[str, SubjectState] = {}
    ends: dict[str, tuple[int, str, int]] = {}
    for index, fields in enumerate(entries):
        entry = parse_entry(canonical_json(fields))
        states[entry.subject] = next_subject_state(states.get(entry.subject), entry, entry.event())
        ends[entry.subject] = entry.n + 1, hashes[index].hex(), index
    database.execute("DELETE FROM subject_now")
    statement = "INSERT INTO subject_now (subject, kind, n, head, log_index, owner_id, state) VALUES (?,?,?,?,?,?,?)"
    for subject, state in states.items():
        owner = getattr(state, "owner_id", None)
        database.execute(statement, (subject, kind_of(subject), *ends[subject], owner, format_state(state)))


def _indexes(database: sqlite3.Connection, entries: list[Json]) -> None:
    """References and codes, which were copied out of the entries for looking things up."""
    database.execute("DELETE FROM entry_ref")
    database.execute("DELETE FROM code")
    for index, entry in enumerate(entries):
        database.executemany("INSERT INTO entry_ref (ref, log_index) VALUES (?,?)", [(r, index) for r in entry["refs"]])
        if entry["type"] == "code_bound":
            code = entry["data"]["code"], entry["subject"].partition("/")[2]
            database.execute("INSERT INTO code (code, cylinder_id) VALUES (?,?)", code)


def _journal(database: sqlite3.Connection, entries: list[Json]) -> None:
    database.execute("DELETE FROM journal")
    for index, fields in enumerate(entries):
        if "device" in fields:
            record = parse_entry(canonical_json(fields)).record()
            text = record_text(record)
            row = ("dev_1", fields["device"]["seq"], leaf_hash(text).hex(), record.id, "stored", index, text)
            database.execute(
                "INSERT INTO journal (device_id,seq,hash,id,status,log_index,text) VALUES (?,?,?,?,?,?,?)", row
            )


def _checkpoints(database: sqlite3.Connection, hashes: list[bytes], *, sign: bool) -> str | None:
    """Take away what does not fit any more, or sign it anew; the newest that is left."""
    rows = database.execute("SELECT size, note, published_at FROM checkpoint ORDER BY size").fetchall()
    database.execute("DELETE FROM checkpoint")
    kept = [row for row in rows if row[0] <= len(hashes) and parse_checkpoint(row[1]).root == _root(hashes, row[0])]
    if sign:
        sizes = sorted({min(row[0], len(hashes)) for row in rows} | {len(hashes)})
        kept = [(size, _signed(hashes, size), START) for size in sizes]
    database.executemany("INSERT INTO checkpoint VALUES (?,?,?)", kept)
    return kept[-1][1] if kept else None


def _root(hashes: list[bytes], size: int) -> bytes:
    return root_hash(size, HashesInMemory(hashes[:size]))


def _signed(hashes: list[bytes], size: int) -> str:
    return sign_checkpoint(Checkpoint(origin=KEY.name, size=size, root=_root(hashes, size)), KEY)
