"""EPCIS events put into a home of their own, without the capture interface: what a query finds is tested alone."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, insert

from cylinder_trace.epcis.context import read_context
from cylinder_trace.epcis.faults import Faults
from cylinder_trace.epcis.indexing import index_of
from cylinder_trace.store.database import create_schema, open_engine, parse_url
from cylinder_trace.store.epcis.selecting import CONTEXT, EVENT, TERM

Event = Mapping[str, Any]
CONTEXT_TEXT = json.dumps(
    [
        "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        {"ex": "https://ns.example.org/", "cbvmda": "urn:epcglobal:cbv:mda:"},
    ]
).encode()


@contextmanager
def home_at(url: str) -> Iterator[Engine]:
    """A home with our tables in it."""
    engine = open_engine(parse_url(url), writer=True)
    try:
        create_schema(engine, "ledger.example/epcis")
        yield engine
    finally:
        engine.dispose()


def put_events(
    connection: Connection,
    events: Sequence[Event],
    *,
    record_time: Callable[[int], int] = lambda number: 1_790_000_000_000 + number,
    org_id: str = "co_1",
    context: bytes = CONTEXT_TEXT,
    first: int = 1,
) -> None:
    """Store events with the numbers from `first` on, as one organisation's."""
    expand = read_context(json.loads(context), Faults(), ()).expand
    context_id = int.from_bytes(hashlib.sha256(context).digest()[:4], "big")
    if first == 1 or connection.execute(CONTEXT.select().where(CONTEXT.c.id == context_id)).first() is None:
        row = {"id": context_id, "text_sha256": hashlib.sha256(context).digest(), "text": context}
        connection.execute(insert(CONTEXT), [row])
    rows, terms = [], []
    for seq, event in enumerate(events, first):
        indexed = index_of(event, expand)
        text = json.dumps(event).encode()
        columns = {name: value for name, value in indexed._asdict().items() if name != "terms"}
        rows.append(
            {
                **columns,
                "seq": seq,
                "text_sha256": hashlib.sha256(text + str(seq).encode()).digest(),
                "event_id": event.get("eventID", f"ni:///sha-256;{seq:064x}?ver=CBV2.0"),
                "record_time": record_time(seq),
                "source": "captured",
                "org_id": org_id,
                "context_id": context_id,
                "text": text,
            }
        )
        terms += [{"name": term.name, "value": term.value, "seq": seq} for term in indexed.terms]
    if rows:
        connection.execute(insert(EVENT), rows)
    if terms:
        connection.execute(insert(TERM), terms)


def forget_events(connection: Connection) -> None:
    """Take all events out again."""
    for table in (TERM, EVENT, CONTEXT):
        connection.execute(table.delete())
