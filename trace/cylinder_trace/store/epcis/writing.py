"""Writing EPCIS events (写入事件): short transactions, each event once, numbers in the order of the commits.

All writers of `epcis_event` take one lock for a transaction, so whoever has read up to a number has missed nothing that
will ever bear a smaller one.  The same event from the same organisation is stored once, so a stretch that a killed
process left half done is simply written again.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    any_,
    func,
    insert,
    literal,
    select,
    update,
)

from cylinder_trace.epcis.indexing import Indexed
from cylinder_trace.store.lead import wait_for_lead
from cylinder_trace.store.tables import EpcisContextRow, EpcisEventRow, EpcisTermRow

EVENT: Table = EpcisEventRow.__table__  # type: ignore[attr-defined]
CONTEXT: Table = EpcisContextRow.__table__  # type: ignore[attr-defined]
TERM: Table = EpcisTermRow.__table__  # type: ignore[attr-defined]
_LOCK = "pinglian-epcis"


class NewEvent(NamedTuple):
    """An event to be stored."""

    text: bytes
    found_by: Indexed
    event_id: str
    hash_id: str | None
    org_id: str
    log_index: int | None = None


class Written(NamedTuple):
    """What became of some events."""

    new: int
    """How many were not stored before."""
    newest: int
    """The number of the newest event of all; 0 without any."""


def write_events(
    connection: Connection, events: Sequence[NewEvent], context_text: bytes, now: int, capture_id: str | None = None
) -> Written:
    """Store what is new of `events`, which stand under one context, in the caller's transaction.

    Without a `capture_id` they are the ledger's own.  `now` (UTC ms) becomes their recordTime, never behind an older
    event's.
    """
    take_turn(connection)
    newest = connection.execute(select(EVENT.c.seq, EVENT.c.record_time).order_by(EVENT.c.seq.desc()).limit(1)).first()
    seq, last_time = (newest.seq, newest.record_time) if newest else (0, 0)
    new = _new_of(connection, events, context_text)
    if new:
        context_id, at = _context_id(connection, context_text), max(now, last_time)
        source = "ledger" if capture_id is None else "captured"
        rows, terms = [], []
        for number, (digest, event) in enumerate(new.items(), start=seq + 1):
            rows.append(_row(number, digest, event, at, source, capture_id, context_id))
            terms += [(term.name, term.value, number) for term in event.found_by.terms]
        _insert(connection, EVENT, rows)
        if terms:
            _insert(connection, TERM, terms)
    return Written(len(new), seq + len(new))


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction writes events; begins to write, so that what is read next stays so."""
    if connection.dialect.name == "postgresql":
        wait_for_lead(connection, _LOCK)
    else:  # a transaction that reads before it writes would be refused when another one wrote meanwhile
        connection.execute(update(CONTEXT).where(CONTEXT.c.id == -1).values(id=-1))


def digest_of(context_text: bytes, event_text: bytes) -> bytes:
    """What tells whether an organisation has sent the same before."""
    return sha256(context_text + b"\n" + event_text).digest()


def _new_of(connection: Connection, events: Sequence[NewEvent], context_text: bytes) -> dict[bytes, NewEvent]:
    """Those that their organisation has not stored, each once, by digest."""
    found: dict[bytes, NewEvent] = {}
    for event in events:
        found.setdefault(digest_of(context_text, event.text), event)
    for org_id in {event.org_id for event in events}:
        known = select(EVENT.c.text_sha256).where(EVENT.c.org_id == org_id, _is_among(connection, list(found)))
        for digest in map(bytes, connection.scalars(known)):
            if found[digest].org_id == org_id:
                del found[digest]
    return found


def _is_among(connection: Connection, digests: list[bytes]) -> ColumnElement[bool]:
    if connection.dialect.name == "postgresql":  # one array: the driver looks long at a thousand parameters
        return EVENT.c.text_sha256 == any_(literal(digests, ARRAY(LargeBinary)))
    return EVENT.c.text_sha256.in_(digests)


def _context_id(connection: Connection, context_text: bytes) -> int:
    digest = sha256(context_text).digest()
    found = connection.scalar(select(CONTEXT.c.id).where(CONTEXT.c.text_sha256 == digest))
    if found is None:
        found = (connection.scalar(select(func.max(CONTEXT.c.id))) or 0) + 1
        connection.execute(insert(CONTEXT).values(id=found, text_sha256=digest, text=context_text))
    return int(found)


def _row(
    seq: int, digest: bytes, event: NewEvent, at: int, source: str, capture_id: str | None, context_id: int
) -> tuple[Any, ...]:
    """In the order of the columns."""
    by = event.found_by
    return (
        seq, digest, event.event_id, event.hash_id, at, by.event_time, by.type, by.action, by.biz_step, by.disposition,
        by.read_point, by.biz_location, by.error_time, source, capture_id, event.log_index, event.org_id, context_id,
        event.text,
    )  # fmt: skip


def _insert(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name != "postgresql":
        marks = ", ".join("?" * len(table.columns))
        # The names come from the tables, never from a caller.
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608
        return
    driver: Any = connection.connection.cursor()
    with driver, driver.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([_type_of(column) for column in table.columns])
        for row in rows:
            copy.write_row(row)


def _type_of(column: Column[Any]) -> str:
    if isinstance(column.type, LargeBinary):
        return "bytea"
    return "int8" if isinstance(column.type, BigInteger) else "text"
