"""Who is connected: seen by those whom it concerns, in every process with Redis and in its own without it."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from api_house import DEVICE, House, listening, now, settle
from test_live_push import two_houses

from servers.keeper import free_port


def present(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/v1/presence")
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def wait_for(client: httpx.Client, count: int) -> list[dict[str, Any]]:
    patience = time.monotonic() + 20
    while len(items := present(client)) != count:
        assert time.monotonic() < patience, items
        time.sleep(0.05)
    return items


def test_a_device_is_connected_while_its_stream_is_open(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        manager, admin = house.as_("manager"), house.as_("admin")
        assert present(manager) == []
        with listening(house.as_("station"), **{"Unsent-Records": "7"}) as stream:
            settle(stream, house)
            device = present(manager)[0]
            assert (device["device_id"], device["station_id"], device["unsent"]) == (DEVICE, "st_1", 7)
            assert abs(device["since"] - now()) < 60_000
            assert abs(device["data_as_of"] - now()) < 60_000
            assert len(present(admin)) == len(present(house.as_("regulator"))) == 1
        assert wait_for(admin, 0) == []


def test_with_redis_every_process_knows_and_without_it_each_its_own(
    tmp_path: Path, postgres_server: str, redis_url: str
) -> None:
    for url, elsewhere in ((redis_url, 1), (f"redis://127.0.0.1:{free_port()}/0", 0)):
        with ExitStack() as stack:
            first, second = stack.enter_context(two_houses(tmp_path / str(elsewhere), postgres_server, url))
            stream = stack.enter_context(listening(first.as_("station")))
            next(stream)
            assert len(wait_for(first.as_("admin"), 1)) == 1
            assert len(wait_for(second.as_("admin"), elsewhere)) == elsewhere
