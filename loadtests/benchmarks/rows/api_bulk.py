"""Taking over a station's queue in bulk, over HTTP, against the same entries appended in process."""

import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.outage import Outage, new_device_key
from benchmarks.rows.store import BATCH
from cylinder_codes.keys import format_vkey, parse_signer
from cylinder_trace.events import Record, parse_record, record_text
from cylinder_trace.store.ledger import Ledger
from load_stations import now_ms
from processes import ServerError
from town_service import AccessError, Town, enrol_device, replica_of, running_town, station_in

_CYLINDERS = 2000
_ENTRIES_A_SECOND = 10_000


@contextmanager
def _prepare(scale: Scale) -> Iterator[Pair]:
    try:
        with fresh_folder() as folder, running_town(folder, _CYLINDERS) as town, _copy_of(town, folder) as ledger:
            sent, appended = _Device(town), _Device(town)
            count = scale.count(5000)
            yield Pair(
                ours=lambda: _upload_all(town, sent, _next(sent, count)),
                other=lambda: _append_all(ledger, _next(appended, count)),
            )
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


@contextmanager
def _prepare_rate(scale: Scale) -> Iterator[Pair]:
    try:
        with fresh_folder() as folder, running_town(folder, _CYLINDERS) as town:
            outage, count = _Device(town), scale.count(5000)
            ours = lambda: _upload_all(town, outage, _next(outage, count))  # noqa: E731 - one of the two sides
            yield Pair(ours, other=lambda: float(_ENTRIES_A_SECOND))
    except (ServerError, AccessError) as error:
        raise BenchError(str(error)) from error


class _Device(Outage):
    """A device that was cut off, with the token by which it hands its queue over."""

    def __init__(self, town: Town) -> None:
        key, station = new_device_key(), station_in(town)
        enrolled = enrol_device(town, station.station_id, format_vkey(key.verifying_key))
        self.token = enrolled["token"]
        super().__init__(replica_of(town, station.station_id, self.token), enrolled["device_id"], key)


def _next(device: Outage, entries: int) -> list[Record]:
    """At least so many records that the device has not sent yet."""
    before = len(device.records)
    while len(device.records) < before + entries:
        device.go_on(now_ms() - 1000, cylinders=entries // 3)
    return device.records[before:]


def _upload_all(town: Town, device: _Device, records: Sequence[Record]) -> float:
    bodies = [device.upload(list(records[at : at + BATCH])) for at in range(0, len(records), BATCH)]
    headers = {"Authorization": f"Bearer {device.token}"}
    path = f"{town.base_url}/v1/stations/{device.station_id}/entries"
    with httpx.Client(headers=headers, timeout=120) as client:
        started = time.perf_counter()
        for place, body in enumerate(bodies):
            key = f"{device.device_id}.{body['head']['seq']}"
            answer = client.post(path, json=body, headers={"Idempotency-Key": key})
            if not answer.is_success or answer.json()["problem"] is not None:
                raise BenchError(f"upload {place} was answered with {answer.status_code}: {answer.text[:200]}")
        return len(records) / (time.perf_counter() - started)


def _append_all(ledger: Ledger, records: Sequence[Record]) -> float:
    texts = [record_text(record) for record in records]
    started = time.perf_counter()
    for at in range(0, len(texts), BATCH):
        ledger.append([parse_record(text) for text in texts[at : at + BATCH]])
    return len(texts) / (time.perf_counter() - started)


@contextmanager
def _copy_of(town: Town, folder: Path) -> Iterator[Ledger]:
    """The town's ledger once more, as a ledger of this process."""
    copy = folder / "copy"
    # The log first: a database may be newer than its log, never older.
    shutil.copytree(town.data / "log", copy / "log")
    with (
        closing(sqlite3.connect(town.data / "ledger.db")) as source,
        closing(sqlite3.connect(copy / "ledger.db")) as to,
    ):
        source.backup(to)
    key = parse_signer((town.data / "keys" / "log.key").read_text(encoding="utf-8").strip())
    with Ledger(f"sqlite:///{copy / 'ledger.db'}", copy, key, now_ms) as ledger:
        yield ledger


UPLOAD = Row(
    name="api.upload",
    unit="/s",
    better="higher",
    goal=0.5,
    kind="bound",
    against="the same records read from their texts and appended to the same ledger in process, as many at once",
    prepare=_prepare,
)
"""A device's queue, 1,000 records a call: its chain and signature verified, doubts raised, each record answered."""

UPLOAD_RATE = Row(
    name="api.upload_rate",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: 10,000 entries a second",
    prepare=_prepare_rate,
)
"""The same, on its own."""
