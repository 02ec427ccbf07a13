"""The fill check against the usual way to write one, over HTTP, on the same town."""

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from sqlmodel import Session, SQLModel

from benchmarks.folders import fresh_folder
from benchmarks.http_client import answers_per_second
from benchmarks.machine import ROOT
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.api import fill_check_request
from load_stations import Station
from processes import ServerError, free_port, running_server
from town_service import AccessError, Town, running_town, station_in

_CYLINDERS = 2000
_WORKERS = (1, 2, 4)
_RULEBOOK = ROOT / "trace" / "cylinder_trace" / "rulebooks" / "cn-default.toml"


@contextmanager
def _prepare(scale: Scale) -> Iterator[Pair]:
    checks, numbers = scale.count(1000), count()
    try:
        with ExitStack() as held:
            folder = held.enter_context(fresh_folder())
            town = held.enter_context(running_town(folder, _CYLINDERS))
            station = station_in(town)
            usual = [held.enter_context(_usual_way(folder, town, station, workers)) for workers in _WORKERS]

            def ask(port: int) -> float:
                requests = [fill_check_request(station, port, next(numbers)) for _ in range(checks)]
                return answers_per_second(port, requests)

            yield Pair(ours=lambda: ask(town.port), other=lambda: max(map(ask, usual)))
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


@contextmanager
def _usual_way(folder: Path, town: Town, station: Station, workers: int) -> Iterator[int]:
    """The usual way with so many worker processes, over a database of its own; its port."""
    database = folder / f"usual-{workers}.db"
    os.environ["USUAL_WAY_DATABASE"] = f"sqlite:///{database}"
    os.environ["USUAL_WAY_RULEBOOK"] = str(_RULEBOOK)
    _furnish(database, town, station)
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "benchmarks.peers.usual_way:app", "--app-dir", str(ROOT / "loadtests"),
        "--port", str(port), "--workers", str(workers), "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    with running_server(command, f"http://127.0.0.1:{port}/healthz", folder / f"usual-{workers}.log"):
        yield port


def _furnish(database: Path, town: Town, station: Station) -> None:
    """The same station and the same cylinders as in the ledger of the town."""
    # Its tables share their registry with the ledger's, so it is read only where it is measured.
    from benchmarks.peers import usual_way as peer

    engine = peer.engine_for(f"sqlite:///{database}")
    SQLModel.metadata.create_all(engine)
    with (
        sqlite3.connect(f"file:{town.data / 'ledger.db'}?mode=ro", uri=True) as ledger,
        Session(engine) as session,
    ):
        now = "SELECT state FROM subject_now WHERE subject = ?"
        (state,) = ledger.execute(now, (f"station/{station.station_id}",)).fetchone()
        session.add(peer.Station(station_id=station.station_id, state=state))
        secret = hashlib.sha256(station.token.encode()).hexdigest()
        session.add(peer.Token(sha256=secret, station_id=station.station_id))
        for code, cylinder_id in ledger.execute("SELECT code, cylinder_id FROM code").fetchall():
            (state,) = ledger.execute(now, (f"cylinder/{cylinder_id}",)).fetchone()
            session.add(peer.Cylinder(code=code, state=state))
        session.commit()
    engine.dispose()


FILL_CHECK_USUAL = Row(
    name="api.fill_check_usual",
    unit="/s",
    better="higher",
    goal=8.0,
    kind="usual",
    against="FastAPI and SQLModel with a transaction for each request; the best of 1, 2 and 4 workers",
    prepare=_prepare,
)
"""The same checks, rules and durability; ours in one process, with chain, log and signatures."""
