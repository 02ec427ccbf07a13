"""The row about EPCIS capture: bulk documents over HTTP into PostgreSQL, until every job has ended."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.store_postgres import fresh_server
from cylinder_codes.keys import parse_signer
from cylinder_trace.store.accounts import secret_sha256
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import AccountRow
from cylinder_trace.store.unit import Unit
from load_stations import now_ms
from processes import ServerError, free_port, running_server
from servers.postgres import fresh_database

_API = Path(sys.executable).with_name("cylinder-api")
_EVENTS = 2000
"""Of a document."""
_PROMISE = 2000.0
_TOKEN = "bench-company"  # noqa: S105 - of a database that lives as long as the row
_PATIENCE_S = 120


class _Sender:
    """A company's system that sends documents as fast as they are taken."""

    def __init__(self, base_url: str, documents: int) -> None:
        self._base_url, self._documents, self._numbers = base_url, documents, count()

    def events_per_second(self) -> float:
        """All documents sent, all jobs ended. Raises BenchError."""
        bodies = [_document(next(self._numbers)) for _ in range(self._documents)]
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
        with httpx.Client(base_url=self._base_url, headers=headers, timeout=_PATIENCE_S) as client:
            began = time.perf_counter()
            jobs = [_sent(client, body) for body in bodies]
            for job in jobs:
                _wait_for(client, job)
            return len(jobs) * _EVENTS / (time.perf_counter() - began)


def _sent(client: httpx.Client, body: bytes) -> str:
    answer = client.post("/epcis/capture", content=body)
    if answer.status_code != 202:
        raise BenchError(f"a document was answered with {answer.status_code}: {answer.text[:200]}")
    return answer.headers["Location"]


def _wait_for(client: httpx.Client, job: str) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        said = client.get(job).json()
        if not said["running"]:
            if not said["success"]:
                raise BenchError(f"a capture job failed: {said['errors'][:1]}")
            return
        time.sleep(0.01)
    raise BenchError(f"a capture job did not end within {_PATIENCE_S} s")


def _document(number: int) -> bytes:
    return orjson.dumps(
        {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-04-01T10:15:00.000+08:00",
            "epcisBody": {"eventList": [_event(number, place) for place in range(_EVENTS)]},
        }
    )


def _event(number: int, place: int) -> dict[str, Any]:
    """A cylinder leaves for a depot: 0.7 kB, six terms, no id of its own, so that its hash id is reckoned."""
    return {
        "type": "ObjectEvent",
        "eventTime": "2026-04-01T10:10:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "disposition": "in_transit",
        "epcList": [f"https://id.gs1.org/8003/09520001123450Z{number:06d}{place:06d}"],
        "readPoint": {"id": "https://id.gs1.org/414/9520001000010/254/GATE"},
        "bizTransactionList": [{"type": "desadv", "bizTransaction": f"https://st1.example.org/da/{number}"}],
        "sourceList": [{"type": "possessing_party", "source": "https://id.gs1.org/417/9520001000010"}],
        "destinationList": [
            {"type": "location", "destination": "https://id.gs1.org/414/9520001000041"},
            {"type": "possessing_party", "destination": "https://id.gs1.org/417/9520001000041"},
        ],
    }


@contextmanager
def _prepare(scale: Scale) -> Iterator[Pair]:
    with fresh_folder() as folder, fresh_server() as server, fresh_database(server) as url:
        data, port = folder / "data", free_port()
        _furnish(data, url)
        command = [str(_API), "serve", "--data", str(data), "--database-url", url,
                   "--port", str(port), "--log-level", "warning"]  # fmt: skip
        base_url = f"http://127.0.0.1:{port}"
        try:
            with running_server(command, f"{base_url}/healthz", folder / "serve.log"):
                sender = _Sender(base_url, scale.count(5))
                yield Pair(ours=sender.events_per_second, other=lambda: _PROMISE)
        except (ServerError, httpx.HTTPError) as error:
            raise BenchError(str(error)) from error


def _furnish(data: Path, url: str) -> None:
    """An empty ledger, and a company that may capture."""
    command = [str(_API), "migrate", "--data", str(data), "--database-url", url, "--json"]
    subprocess.run(command, check=True, capture_output=True)
    key = parse_signer((data / "keys" / "log.key").read_text(encoding="utf-8").strip())
    with Ledger(url, data, key, now_ms) as ledger:
        ledger.transact(_let_in)


def _let_in(unit: Unit) -> None:
    digest = secret_sha256(_TOKEN)
    unit.put(AccountRow(token_sha256=digest, account_id="system_1", role="company", org_id="co_1"))


CAPTURE = Row(
    name="epcis.capture",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: 2,000 events a second",
    prepare=_prepare,
)
"""Documents of 2,000 events: validated, kept, each event stored with what it is found by, the job in the ledger."""
