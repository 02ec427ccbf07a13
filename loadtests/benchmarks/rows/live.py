"""The row about live push: how long it takes until a black flag has reached every station that listens."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from cylinder_codes.identifiers import make_code, new_cylinder_id
from cylinder_codes.keys import SigningKey, format_vkey, parse_signer, parse_tag_key
from cylinder_trace import events
from cylinder_trace.events import Event, Stamp, state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.store.accounts import secret_sha256
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import AccountRow
from cylinder_trace.store.unit import Unit
from processes import ServerError, free_port, running_server

_API = Path(sys.executable).with_name("cylinder-api")
_STATIONS = 1000
_FLAGS = 10
"""In a round, one after another."""
_MOST_ROUNDS = 20
_CHECKED_AT = 10
"""Stations at which the flagged cylinder is scanned at once, each time."""
_PROMISE_MS = 1000.0
_PATIENCE_S = 30.0
_LATER = "2099-12-31"
_RULEBOOK = Path(events.__file__).parent / "rulebooks" / "cn-default.toml"
_AT_ONCE = 200


class _Listener(asyncio.Protocol):
    """One station's stream; notes when each change came."""

    def __init__(self) -> None:
        self.told: list[float] = []
        self.beating = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.told += [now] * data.count(b"event: change")
        if b"event: heartbeat" in data:
            self.beating.set()


class _Land:
    """A running service, its stations' open streams, and regulators who set flags."""

    def __init__(self, port: int, stations: int, codes: Iterator[str]) -> None:
        self._port, self._stations, self._codes = port, stations, codes
        self._runner = asyncio.Runner()
        self._listeners: list[_Listener] = []
        self._rounds = count()

    def listen(self) -> None:
        """Open every stream and wait until each beats. Raises BenchError."""
        self._runner.run(self._listen())

    def close(self) -> None:
        """Hang up."""
        self._runner.close()

    def reach_p99_ms(self) -> float:
        """From a flag's request to its arrival at a station, the slowest hundredth of all arrivals."""
        return self._runner.run(self._round(f"regulator-{next(self._rounds) % _MOST_ROUNDS}"))

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self._stations):
            transport, listener = await loop.create_connection(_Listener, "127.0.0.1", self._port)
            request = f"GET /v1/stations/st_{number}/changes HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer station-"
            transport.write(f"{request}{number}\r\n\r\n".encode())
            self._listeners.append(listener)
        for listener in self._listeners:
            await asyncio.wait_for(listener.beating.wait(), _PATIENCE_S)

    async def _round(self, regulator: str) -> float:
        waits: list[float] = []
        for _ in range(_FLAGS):
            waits += await self._flag(regulator, next(self._codes))
        return sorted(waits)[len(waits) * 99 // 100] * 1000

    async def _flag(self, regulator: str, code: str) -> list[float]:
        for listener in self._listeners:
            listener.told.clear()
        body = {"code": code, "flag": "black", "cause": "found", "evidence_sha256": ["ab" * 32],
                "id": f"flag.{code}", "occurred_at": _now()}  # fmt: skip
        began = time.perf_counter()
        await self._post("/v1/flags", regulator, body["id"], body, 201)
        for number in range(0, self._stations, max(1, self._stations // _CHECKED_AT)):
            await self._require_refused(number, code)
        return [await self._arrival(listener) - began for listener in self._listeners]

    async def _arrival(self, listener: _Listener) -> float:
        deadline = time.perf_counter() + _PATIENCE_S
        while not listener.told:
            if time.perf_counter() > deadline:
                raise BenchError(f"a station was not told of a flag in {_PATIENCE_S:.0f} s")
            await asyncio.sleep(0.002)
        return listener.told[0]

    async def _require_refused(self, number: int, code: str) -> None:
        check_id = f"chk.{number}.{code}"
        body = {"check_id": check_id, "raw_scan": code, "station_id": f"st_{number}", "scale_id": "sc", "lane": 1,
                "boot_id": "b", "worker_id": "fl", "empty_gross_g": 16_600, "requested_at": _now()}  # fmt: skip
        answer = await self._post("/v1/fill-checks", f"station-{number}", check_id, body, 200)
        if b'"R32"' not in answer:
            raise BenchError("the very next check of a flagged cylinder was not refused for its flag")

    async def _post(self, path: str, token: str, key: object, body: dict[str, Any], status: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        content = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}", f"Idempotency-Key: {key}",
                 "Content-Type: application/json", f"Content-Length: {len(content)}", "Connection: close"]  # fmt: skip
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        answer = await reader.read()
        writer.close()
        if f" {status} ".encode() not in answer[:20]:
            raise BenchError(f"{path} was answered with {answer[:200]!r}")
        return answer


@contextmanager
def _prepare(scale: Scale) -> Iterator[Pair]:
    stations = min(_STATIONS, scale.count(_STATIONS))
    _allow_files(2 * stations + 200)
    flags = _FLAGS * 2 * (scale.repeats + 2)
    with fresh_folder() as folder:
        codes = _furnish(folder / "data", stations, flags)
        port = free_port()
        command = [str(_API), "serve", "--data", str(folder / "data"),
                   "--port", str(port), "--log-level", "warning"]  # fmt: skip
        try:
            with running_server(command, f"http://127.0.0.1:{port}/healthz", folder / "serve.log"):
                land = _Land(port, stations, iter(codes))
                try:
                    land.listen()
                    yield Pair(ours=land.reach_p99_ms, other=lambda: _PROMISE_MS)
                finally:
                    land.close()
        except ServerError as error:
            raise BenchError(str(error)) from error


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise BenchError(f"{wanted} open files are needed and {hard} allowed; raise the limit with ulimit -n")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _furnish(data: Path, stations: int, cylinders: int) -> list[str]:
    """A ledger in which one company has all the stations, each with a device; the codes of its cylinders."""
    subprocess.run([str(_API), "migrate", "--data", str(data), "--json"], check=True, capture_output=True)
    tag, log = (_key_text(data, name) for name in ("tag", "log"))
    codes = [make_code(number.to_bytes(10, "big"), parse_tag_key(tag)).text for number in range(cylinders)]
    with Ledger(f"sqlite:///{data / 'ledger.db'}", data, parse_signer(log), _now) as ledger:
        ledger.transact(partial(_state_common, codes=codes))
        for start in range(0, stations, _AT_ONCE):
            ledger.transact(partial(_state_stations, numbers=range(start, min(stations, start + _AT_ONCE))))
    return codes


def _key_text(data: Path, name: str) -> str:
    return (data / "keys" / f"{name}.key").read_text(encoding="utf-8").strip()


def _state_common(unit: Unit, codes: list[str]) -> None:
    text = _RULEBOOK.read_text("utf-8")
    book = parse_rulebook(text)
    published = events.RulebookPublished(rulebook_id=book.rulebook_id, version=book.version, text=text)
    _state(unit, f"rulebook/{book.rulebook_id}", published)
    for number in range(_MOST_ROUNDS):
        _let_in(unit, f"regulator-{number}", f"regulator_{number}", "regulator", f"au_{number}")
    for number, code in enumerate(codes):
        subject = f"cylinder/{new_cylinder_id(number.to_bytes(16, 'big'))}"
        stamp = Stamp(maker="generated", serial=f"A{number:06d}", model="YSP35.5", tare_g=16_500,
                      manufactured_month="2024-03", water_volume_ml=35_500, max_fill_g=14_900)  # fmt: skip
        registered = events.CylinderRegistered(
            stamp=stamp, owner_id="co_1", registration_no=f"R{number}", in_service_on="2024-04-01"
        )
        _state(unit, subject, registered)
        _state(unit, subject, events.CodeBound(code=code))


def _state_stations(unit: Unit, numbers: range) -> None:
    for number in numbers:
        station = f"station/st_{number}"
        _state(unit, station, events.StationLicensed(company_id="co_1", licence_no="L", valid_until=_LATER, region="R"))
        _state(unit, station, events.ScaleVerified(scale_id="sc", valid_until=_LATER))
        _state(unit, station, events.WorkerCertified(worker_id="fl", valid_until=_LATER))
        key = SigningKey(f"dev_{number}", number.to_bytes(32, "big"))
        enrolled = events.DeviceEnrolled(station_id=f"st_{number}", vkey=format_vkey(key.verifying_key))
        _state(unit, f"device/dev_{number}", enrolled)
        _let_in(unit, f"station-{number}", f"dev_{number}", "station", f"st_{number}")


def _let_in(unit: Unit, token: str, account_id: str, role: str, org_id: str) -> None:
    unit.put(AccountRow(token_sha256=secret_sha256(token), account_id=account_id, role=role, org_id=org_id))


def _state(unit: Unit, subject: str, event: Event) -> None:
    id = f"seed.{event.type}.{subject.replace('/', '.')}.{getattr(event, 'scale_id', '')}"
    unit.append(state_event(event, id=id, subject=subject, occurred_at=1_720_000_000_000, by="bench"))


def _now() -> int:
    return time.time_ns() // 1_000_000


FLAG_TO_STATIONS = Row(
    name="api.flag_to_1000_stations_p99",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: a black flag reaches 1,000 connected stations within 1 s, the slowest hundredth",
    prepare=_prepare,
)
"""From the regulator's request to the arrival on each open stream; one process; checks at ten stations go beside it."""
