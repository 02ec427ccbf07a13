"""The rows about EPCIS queries: over HTTP, the life of one cylinder by its EPC among a million events, on each home."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from benchmarks.callers import slowest_hundredth
from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows.store_postgres import fresh_server
from cylinder_codes.keys import parse_signer
from cylinder_trace.epcis.context import PLAIN
from cylinder_trace.epcis.indexing import index_of
from cylinder_trace.store.accounts import secret_sha256
from cylinder_trace.store.epcis.writing import NewEvent, write_events
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import AccountRow
from load_stations import now_ms
from processes import ServerError, free_port, running_server
from servers.postgres import fresh_database

_API = Path(sys.executable).with_name("cylinder-api")
_SEED = 20_261_122
_LIFE = 10
"""Events of a cylinder, in its EPC list and as parent."""
_AT_ONCE = 5_000
_ASKED = 1_000
"""Questions in a round, fewer where even the usual size is too much."""
_PROMISE_MS = 30.0
_TOKEN = "bench-auditor"  # noqa: S105 - of a database that lives as long as the row
_CONTEXT = b'["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]'
_STEPS = ("commissioning", "inspecting", "packing", "loading", "shipping", "receiving", "retail_selling", "collecting")


def _epc(number: int) -> str:
    return f"https://id.gs1.org/8003/09520001123450Q{number:08d}"


def _event(number: int, cylinders: int) -> NewEvent:
    """Turn by turn each cylinder has one more event; every fifth names it as the parent, as a fill does."""
    turn, cylinder = divmod(number, cylinders)
    named = {"parentID": _epc(cylinder)} if turn % 5 == 2 else {"epcList": [_epc(cylinder)]}
    event: dict[str, Any] = {
        "type": "AggregationEvent" if "parentID" in named else "ObjectEvent",
        "eventTime": f"2026-{1 + turn:02}-01T08:00:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        **named,
        "action": "OBSERVE",
        "bizStep": _STEPS[turn % len(_STEPS)],
        "disposition": "in_progress",
        "readPoint": {"id": f"https://id.gs1.org/414/9520001000010/254/L{cylinder % 8}"},
        "bizTransactionList": [{"type": "desadv", "bizTransaction": f"https://st1.example.org/da/{number // 50}"}],
    }
    return NewEvent(orjson.dumps(event), index_of(event, PLAIN.expand), f"urn:x-bench:{number}", None, "co_bench")


def _fill(data: Path, url: str, events: int) -> None:
    """A data folder with so many events, and somebody who may ask for them."""
    command = [str(_API), "migrate", "--data", str(data), "--database-url", url, "--json"]
    subprocess.run(command, check=True, capture_output=True)
    log = parse_signer((data / "keys" / "log.key").read_text(encoding="utf-8").strip())
    began = said = time.monotonic()
    with Ledger(url, data, log, now_ms) as ledger:
        row = AccountRow(token_sha256=secret_sha256(_TOKEN), account_id="bench", role="auditor", org_id="au_bench")
        ledger.transact(lambda unit: unit.put(row))
        for start in range(0, events, _AT_ONCE):
            made = [_event(number, events // _LIFE) for number in range(start, min(events, start + _AT_ONCE))]
            with ledger.engine.begin() as writing:
                write_events(writing, made, _CONTEXT, now_ms(), "cap_bench")
            if time.monotonic() - said > 5:
                said = time.monotonic()
                print(f"  building: {start + len(made):,} of {events:,} events", file=sys.stderr)
    print(f"  building: {events:,} events, {time.monotonic() - began:,.0f} s", file=sys.stderr)


def _ask(client: httpx.Client, epc: str) -> float:
    """Seconds that the answer took."""
    began = time.perf_counter()
    answer = client.get("/epcis/events", params={"MATCH_anyEPC": epc})
    took = time.perf_counter() - began
    found = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"] if answer.is_success else ()
    if len(found) != _LIFE:
        raise BenchError(f"{len(found)} events of {epc} were found, not {_LIFE}: {answer.text[:200]}")
    return took


@contextmanager
def _prepare(scale: Scale, home: str) -> Iterator[Pair]:
    events, drawn = scale.count(100_000) // _LIFE * _LIFE, random.Random(_SEED)
    questions = min(_ASKED, scale.count(_ASKED))
    with ExitStack() as stack:
        data, port = stack.enter_context(fresh_folder()) / "data", free_port()
        url = f"sqlite:///{data / 'ledger.db'}"
        if home == "postgresql":
            url = stack.enter_context(fresh_database(stack.enter_context(fresh_server())))
        _fill(data, url, events)
        command = [str(_API), "serve", "--data", str(data), "--database-url", url, "--port", str(port),
                   "--log-level", "warning"]  # fmt: skip
        base_url = f"http://127.0.0.1:{port}"
        try:
            stack.enter_context(running_server(command, f"{base_url}/healthz", data.parent / "serve.log"))
            client = stack.enter_context(
                httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=60)
            )

            def p99_ms() -> float:
                asked = (_epc(drawn.randrange(events // _LIFE)) for _ in range(questions))
                return 1e3 * slowest_hundredth([_ask(client, epc) for epc in asked])

            yield Pair(ours=p99_ms, other=lambda: _PROMISE_MS)
        except (ServerError, httpx.HTTPError) as error:
            raise BenchError(str(error)) from error


def _row(name: str, home: str) -> Row:
    return Row(
        name=name,
        unit="ms",
        better="lower",
        goal=1.0,
        kind="bound",
        against="the promise: 30 ms, the slowest hundredth, 1,000,000 events",
        prepare=partial(_prepare, home=home),
        sizes="large",
    )


QUERY_BY_EPC = _row("epcis.query_by_epc", "sqlite")
QUERY_BY_EPC_POSTGRES = _row("epcis.query_by_epc_postgres", "postgresql")
