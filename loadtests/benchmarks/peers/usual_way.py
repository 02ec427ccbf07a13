"""The usual way to write a fill check: FastAPI and SQLModel, a table for each thing, a transaction for each request.

What a good engineer would write in an afternoon: pooled connections, WAL with full flushes, the indexes it needs, the
same validation, the same authentication by the hash of a token, the same rules, the answer after the commit.  It
keeps what it decided in a table that anybody with the file may rewrite; no chain, no log, no signature.

Run by uvicorn; where its database lies stands in USUAL_WAY_DATABASE.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from sqlalchemy import event
from sqlmodel import Field, Session, SQLModel, create_engine, select

from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_trace.admission import decide_fill
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.rulebook import Rulebook, parse_rulebook
from cylinder_trace.station import StationState, facts_for


class Cylinder(SQLModel, table=True):
    """A cylinder, found by its code."""

    code: str = Field(primary_key=True)
    state: str


class Station(SQLModel, table=True):
    """A station with its scales and fillers."""

    station_id: str = Field(primary_key=True)
    state: str


class Token(SQLModel, table=True):
    """Whom a bearer token speaks for."""

    sha256: str = Field(primary_key=True)
    station_id: str


class FillCheck(SQLModel, table=True):
    """A decision as it was given."""

    check_id: str = Field(primary_key=True)
    station_id: str = Field(index=True)
    decided_at: int
    request: str
    decision: str


def engine_for(url: str) -> Any:
    """Pooled connections; on SQLite a write-ahead log and a flush for each commit, as our own ledger has them."""
    engine = create_engine(url, **({"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}))
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def tune(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    return engine


app = FastAPI()
_engine = engine_for(os.environ["USUAL_WAY_DATABASE"]) if "USUAL_WAY_DATABASE" in os.environ else None
_book: list[Rulebook] = []


def session() -> Iterator[Session]:
    """A session for one request."""
    with Session(_engine) as opened:
        yield opened


Opened = Annotated[Session, Depends(session)]


def caller(database: Opened, authorization: Annotated[str, Header()]) -> str:
    """The station whose token was sent."""
    secret = authorization.removeprefix("Bearer ")
    token = database.get(Token, hashlib.sha256(secret.encode()).hexdigest())
    if token is None:
        raise HTTPException(401)
    return token.station_id


@app.post("/v1/fill-checks")
def check_fill(request: FillRequest, station_id: Annotated[str, Depends(caller)], database: Opened) -> Decision:
    """Decide and keep the decision; the same check again gets the same answer."""
    if request.station_id != station_id:
        raise HTTPException(403)
    if known := database.get(FillCheck, request.check_id):
        return Decision.model_validate_json(known.decision)
    now = time.time_ns() // 1_000_000
    read = read_scan(request.raw_scan)
    request = request.model_copy(update={"code": None if isinstance(read, ReadFailure) else read.text})
    cylinder = database.get(Cylinder, request.code) if request.code else None
    station = database.get(Station, station_id)
    facts = facts_for(
        StationState.model_validate_json(station.state) if station else None, request, now, request.requested_at - now
    )
    state = CylinderState.model_validate_json(cylinder.state) if cylinder else None
    decision = decide_fill(request, state, facts, _rulebook(), now)
    database.add(
        FillCheck(
            check_id=request.check_id,
            station_id=station_id,
            decided_at=now,
            request=request.model_dump_json(exclude_none=True),
            decision=decision.model_dump_json(exclude_none=True),
        )
    )
    database.commit()
    return decision


def _rulebook() -> Rulebook:
    if not _book:
        with open(os.environ["USUAL_WAY_RULEBOOK"], encoding="utf-8") as text:  # noqa: PTH123 - as one would write it
            _book.append(parse_rulebook(text.read()))
    return _book[0]


@app.get("/healthz")
def healthz(database: Opened) -> dict[str, int]:
    """Answer when ready."""
    return {"stations": len(database.exec(select(Station.station_id)).all())}
