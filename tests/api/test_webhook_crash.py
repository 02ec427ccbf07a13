"""Killed while it delivers, and several processes at once: no message is lost, and each bears one id for ever."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_house import Bottle, House, check_body, database_of
from api_process import Served, answer
from test_webhooks import Hook, event_of, is_signed, until

from cylinder_api.delivery.deliverer import AT_A_TIME
from servers.keyed import keyed_client
from servers.postgres import fresh_database
from servers.receiver import Receiver, never, says

BOTTLES = 30
ENTRIES = 2 * BOTTLES
SURROUNDINGS = {**os.environ, "PYTHONWARNINGS": "error", "RECEIVERS": "any"}


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A service that is not running yet."""
    with database_of(request) as url:
        yield House(tmp_path, url, private_receivers=True)


def prepared(house: House, receiver: Receiver) -> tuple[dict[str, str], list[Bottle]]:
    """A webhook that was told nothing yet, with a log full of what it is to be told, and the service stopped."""
    receiver.will(never)
    with house:
        hook = Hook(house, receiver.url())
        made: dict[str, str] = {name: hook.made[name] for name in ("webhook_id", "secret")}
        bottles = [house.new_bottle() for _ in range(BOTTLES)]
    receiver.will()
    return made, bottles


def serve(house: House) -> Served:
    arguments = ("--database-url", house.database_url) if house.database_url else ()
    return Served("--data", house.folder, *arguments, surroundings=SURROUNDINGS)


def waits(url: str, webhook_id: str) -> int:
    """How much is still to be told."""
    with keyed_client(url, {"Authorization": "Bearer token-of-company"}) as client:
        item = client.get(f"/v1/webhooks/{webhook_id}").json()
    return int(item["waiting"] + item["behind"])


def attempts(url: str, webhook_id: str) -> int:
    """How often all its messages together were tried."""
    with keyed_client(url, {"Authorization": "Bearer token-of-company"}) as client:
        items = client.get(f"/v1/webhooks/{webhook_id}/deliveries", params={"limit": 1000}).json()["items"]
    assert len(items) == ENTRIES
    return sum(item["attempts"] for item in items)


def test_killed_with_messages_under_way_every_one_arrives_under_one_id(house: House) -> None:
    with Receiver() as receiver:
        made, bottles = prepared(house, receiver)
        before = len(receiver.received)
        receiver.will(*[says(204)] * 20, never)
        service = serve(house)
        receiver.wait_for(before + 20 + AT_A_TIME)
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        unanswered = receiver.received[before + 20 :]
        receiver.will()
        service = serve(house)
        until(lambda: waits(service.url, made["webhook_id"]), lambda left: left == 0)
        assert service.stop() == 0
        bodies: dict[str, set[bytes]] = {}
        for request in receiver.received[before:]:
            bodies.setdefault(request.headers["webhook-id"], set()).add(request.body)
        assert len(bodies) == ENTRIES
        assert {len(same) for same in bodies.values()} == {1}
        again = {request.headers["webhook-id"] for request in receiver.received[before + 20 + len(unanswered) :]}
        assert {request.headers["webhook-id"] for request in unanswered} <= again
        assert {event_of(request)["subject"] for request in receiver.received} == {one.subject for one in bottles}
        assert made["secret"].removeprefix("whsec_") not in service.log


def test_of_two_processes_one_delivers_and_the_other_takes_over(tmp_path: Path, postgres_server: str) -> None:
    with Receiver() as receiver, fresh_database(postgres_server) as url:
        house = House(tmp_path, url, private_receivers=True)
        made, bottles = prepared(house, receiver)
        before = len(receiver.received)
        first, second = serve(house), serve(house)
        until(lambda: waits(second.url, made["webhook_id"]), lambda left: left == 0)
        # What both had sent would have come more often than it was tried.
        assert len(receiver.received) - before == attempts(second.url, made["webhook_id"])
        assert first.stop(signal.SIGKILL) == -signal.SIGKILL
        with keyed_client(second.url, {"Authorization": "Bearer token-of-station"}) as station:
            assert station.post("/v1/fill-checks", json=check_body(bottles[0])).status_code == 200
        words = {"code_bound", "cylinder_registered", "fill_decided"}
        until(
            lambda: {event_of(one)["data"]["event"] for one in receiver.received[before:]}, lambda told: told == words
        )
        assert second.stop() == 0


def test_messages_are_signed_as_before_when_the_master_key_was_exchanged(tmp_path: Path) -> None:
    with Receiver() as receiver:
        house = House(tmp_path, private_receivers=True)
        with house:
            hook = Hook(house, receiver.url())
        said = answer("rotate-master-key", "--data", tmp_path)
        assert said["signing_secrets"] == 1
        with house:
            house.as_("company").post(f"{hook.path}/test")
            (request,) = receiver.wait_for(1)
        assert is_signed(request, hook.made["secret"])
