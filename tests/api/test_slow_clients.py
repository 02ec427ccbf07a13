"""Slow, broken and vanishing clients: they hold nothing for long, and leave nothing partial."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from api_house import Device, House, check_body

from cylinder_api.settings import Patience


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house"), patience=Patience(head_s=1, body_s=1)) as house:
        yield house


def connected(house: House) -> socket.socket:
    host, port = house.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def head(path: str, length: int, key: str = "k") -> bytes:
    lines = (
        f"POST {path} HTTP/1.1", "Host: x", "Authorization: Bearer token-of-station", f"Idempotency-Key: {key}",
        "Content-Type: application/json", f"Content-Length: {length}",
    )  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def all_of(caller: socket.socket) -> bytes:
    received = b""
    while data := caller.recv(65_536):
        received += data
    return received


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_client_that_does_not_end_its_headers_is_let_go(impatient: House, sent: bytes) -> None:
    with connected(impatient) as caller:
        caller.sendall(sent)
        assert all_of(caller) == b""


def test_a_second_request_that_is_begun_and_not_ended_is_let_go_too(impatient: House) -> None:
    with connected(impatient) as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in caller.recv(65_536)
        caller.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert b"HTTP" not in all_of(caller)


def test_a_body_that_drips_is_answered_408_and_records_nothing(impatient: House) -> None:
    size = impatient.running.ledger.reader.size()
    with connected(impatient) as caller:
        caller.sendall(head("/v1/fill-checks", 1000) + b"{")
        answer = caller.recv(65_536)
    assert b"HTTP/1.1 408" in answer
    assert impatient.stated_since(size) == []


def test_a_station_that_works_slowly_but_within_its_time_is_served(one_house: House) -> None:
    body = orjson.dumps(check_body(one_house.new_bottle()))
    key = orjson.loads(body)["check_id"]
    with connected(one_house) as caller:
        caller.sendall(head("/v1/fill-checks", len(body), key)[:40])
        time.sleep(0.02)
        caller.sendall(head("/v1/fill-checks", len(body), key)[40:] + body[:20])
        time.sleep(0.02)
        caller.sendall(body[20:])
        assert b"HTTP/1.1 200" in caller.recv(65_536)


def test_a_client_that_vanishes_in_the_middle_of_an_upload_leaves_nothing(one_house: House, device: Device) -> None:
    bottle = one_house.new_bottle()
    for _ in range(20):
        device.decide(bottle)
    body = orjson.dumps(device.upload())
    for part in (0, 1, len(body) // 2, len(body) - 1):
        with connected(one_house) as caller:
            caller.sendall(head("/v1/stations/st_1/entries", len(body)) + body[:part])
    answer = one_house.as_("station").post("/v1/stations/st_1/entries", content=body, headers={"Idempotency-Key": "k"})
    assert [one["status"] for one in answer.json()["answers"]] == ["stored"] * 20
    assert len(one_house.entries_of(bottle.subject)) == 22
    assert one_house.audit() == []


def test_beyond_so_many_connections_whoever_comes_is_told_to_come_again(tmp_path: Path) -> None:
    with House(tmp_path, patience=Patience(connections=8)) as house:
        held = [connected(house) for _ in range(8)]
        with connected(house) as caller:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            told, _, body = all_of(caller).partition(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 503")
        assert b"\r\nretry-after: 5" in told.lower()
        assert (b"application/problem+json" in told, orjson.loads(body)["code"]) == (True, "unavailable")
        for one in held:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(65_536).startswith(b"HTTP/1.1 200"), "who was there before is served"
            one.close()
