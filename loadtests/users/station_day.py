"""A day at a filling station (充装站): empties arrive at a lane, are scanned, checked and, if permitted, filled.

One user is one lane (枪位). Times are shortened: at the rate of a real lane ten seconds would see one cylinder.
"""

import json
import random
import time
from collections import deque
from itertools import count
from typing import Any, TextIO

from locust import FastHttpUser, between, events, task
from locust.env import Environment

import load_stations
from load_stations import Body, Cylinder, Station

_NONSENSE = 0.02
"""Scans of something that is no code: a label of another firm, a torn one."""
_LOST_ANSWER = 0.02
"""Checks that are asked again with the same id, as a station does that got no answer."""
_FILL_S = (0.05, 0.3)
_NET_G = 1_000


class _Line:
    """What the lanes of the station share: the cylinders that wait, the ids, the file of what was told."""

    def __init__(self, station: Station, told: TextIO, run_id: str) -> None:
        self.station = station
        self.arriving: deque[Cylinder] = deque(station.cylinders)
        self.told = told
        self.numbers = count()
        self.lanes = count(1)
        self.run_id = run_id

    def new_id(self, kind: str) -> str:
        return f"{self.run_id}-{kind}-{next(self.numbers)}"


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def open_line(environment: Environment, **_: Any) -> None:
    """Read the station and open the file of what will be told."""
    options: Any = environment.parsed_options
    told = options.told.open("w", encoding="utf-8", buffering=1)
    StationDay.line = _Line(load_stations.read_station(options.station), told, options.run_id)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def close_line(environment: Environment, **_: Any) -> None:
    """Close the file of what was told."""
    StationDay.line.told.close()


class StationDay(FastHttpUser):
    """One lane."""

    wait_time = between(0.02, 0.2)
    line: _Line

    def on_start(self) -> None:
        self.lane = next(self.line.lanes)
        self.dice = random.Random(self.lane)

    @task
    def cylinder_arrives(self) -> None:
        """The next empty is put on the scale."""
        if self.dice.random() < _NONSENSE:
            self._check(None, 15_000)
            return
        cylinder = self.line.arriving.popleft()
        try:
            self._work_on(cylinder)
        finally:
            self.line.arriving.append(cylinder)

    def _work_on(self, cylinder: Cylinder) -> None:
        self._take_back(cylinder)
        asked, permitted = self._check(cylinder.code, cylinder.tare_g + 100)
        if permitted:
            started_at = load_stations.now_ms()
            time.sleep(self.dice.uniform(*_FILL_S))  # Locust has replaced it: only this lane waits
            body = load_stations.fill(asked, self.line.new_id("fill"), started_at, _NET_G)
            self._post("/v1/fills", body, "fill 充装", "filled", str(body["id"]))

    def _take_back(self, cylinder: Cylinder) -> None:
        body = load_stations.empty_back(self.line.station, self.line.new_id("return"), cylinder.code)
        self._post("/v1/returns", body, "empty back 空瓶回收", "returned", str(body["id"]))

    def _check(self, code: str | None, empty_gross_g: int) -> tuple[Body, bool]:
        station = self.line.station
        asked = load_stations.fill_request(station, self.line.new_id("check"), self.lane, code, empty_gross_g)
        answer = self._ask(asked, "fill check 准充")
        if self.dice.random() < _LOST_ANSWER:
            again = self._ask(asked, "fill check again 重发")
            answer = answer or again
        return asked, bool(answer) and answer["decision"]["outcome"] != "DENY"

    def _ask(self, asked: Body, name: str) -> Any:
        return self._post("/v1/fill-checks", asked, name, "fill_decided", str(asked["check_id"]))

    def _post(self, path: str, body: Body, name: str, entry_type: str, entry_id: str) -> Any:
        """Post `body`; note what the answer says was recorded. None when the answer is no receipt for it."""
        headers = {**self.line.station.headers, "Idempotency-Key": entry_id}
        with self.client.post(path, json=body, headers=headers, name=name, catch_response=True) as response:
            answer = response.json() if response.status_code in (200, 201) else None
            receipt = answer["receipt"] if answer else None
            if receipt is None or receipt["id"] != entry_id:
                response.failure(f"no receipt: {response.status_code} {(response.text or '')[:200]}")
                return None
            line = {"id": entry_id, "type": entry_type, "index": receipt["index"], "hash": receipt["hash"]}
            self.line.told.write(json.dumps(line) + "\n")
            return answer
