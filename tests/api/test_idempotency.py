"""One act, one id: every write bears an Idempotency-Key, and sent again it changes nothing and is answered the same."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_house import House, check_body, new_id
from every_write import Write, Writes
from sqlalchemy import select

from cylinder_api.bodies import asks_for_key
from cylinder_api.idempotency import SECRET
from cylinder_api.service import system_clock
from cylinder_trace.store.kept_answers import KEPT_MS
from cylinder_trace.store.tables import KeptAnswerRow
from station_agent.service import Service as StationsService

HEADER = "Idempotency-Key"


@pytest.fixture(scope="module")
def writes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writes]:
    with House(tmp_path_factory.mktemp("house")) as house:
        yield Writes(house)


@pytest.fixture(scope="module")
def uploads(one_house: House) -> Writes:
    """Of a station that nothing was said about: in `writes` every act was tried, a lock of its scale among them."""
    return Writes(one_house)


def key_of(write: Write) -> str:
    body = write.body or {}
    return str(body.get("id") or body.get("check_id") or new_id("key"))


def other(write: Write) -> Write:
    """The same act saying something else."""
    if write.file is not None:
        return write._replace(file=write.file + b"\n")
    if write.body is None:
        return write._replace(path=f"{write.path}?again=1")
    said = dict(write.body)
    name = next(name for name in _CHANGEABLE if name in said)
    said[name] = said[name] - 1 if isinstance(said[name], int) else f"{said[name]}x"
    return write._replace(body=said)


_CHANGEABLE = (
    "occurred_at", "requested_at", "ended_at", "cause", "station_id", "vkey", "device_id", "user_id",
    "client_id", "old", "url", "from_at",
)  # fmt: skip
ENDS_ITSELF = ("sign_out", "end_session", "end_all_sessions")
"""After these the session opens nothing any more, not even the same answer."""


def test_every_write_asks_for_its_key_and_sent_again_is_answered_with_the_same_bytes(writes: Writes) -> None:
    for operation, (method, path, _example) in writes.operations.items():
        if not asks_for_key(method, path, operation):
            continue
        write = writes.new(operation)
        size = writes.house.running.ledger.reader.size()
        bare = writes.house.as_(None, write.token)
        bare.event_hooks = {"request": []}
        missing = bare.request(write.method, write.path, json=write.body)
        assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing"), operation
        assert writes.house.stated_since(size) == [], operation
        key = {HEADER: key_of(write)}
        first = writes.send(write, **key)
        assert first.is_success, (operation, first.text)
        size = writes.house.running.ledger.reader.size()
        again = writes.send(write, **key)
        if operation in ENDS_ITSELF:
            assert again.status_code == 401
            continue
        assert (again.status_code, again.content) == (first.status_code, first.content), operation
        differs = writes.send(other(write), **key)
        assert (differs.status_code, differs.json()["code"]) == (422, "id_conflict"), (operation, differs.text)
        assert writes.house.stated_since(size) == [], operation
    assert writes.house.audit() == []


def ask(house: House, body: dict[str, Any], key: str) -> Any:
    return house.as_("station").post("/v1/fill-checks", json=body, headers={HEADER: key})


def test_the_key_of_an_act_that_has_an_id_is_that_id(one_house: House) -> None:
    body = check_body(one_house.new_bottle())
    size = one_house.running.ledger.reader.size()
    refused = ask(one_house, body, "another-id")
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_differs")
    assert one_house.stated_since(size, "st_1") == []
    bare, quoted = ask(one_house, body, body["check_id"]), ask(one_house, body, f'"{body["check_id"]}"')
    assert bare.status_code == 200
    assert bare.content == quoted.content


@pytest.mark.parametrize("key", ["", '""', '"', "two words", "a" * 81, "/etc", 'a"b', '"a\\"b"', ".dot"])
def test_what_cannot_be_the_id_of_an_act_is_no_key(one_house: House, key: str) -> None:
    answer = ask(one_house, check_body("no code"), key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


def test_two_keys_are_none(one_house: House) -> None:
    body = check_body("no code")
    headers = [(HEADER, body["check_id"]), (HEADER, body["check_id"])]
    answer = one_house.as_("station").post("/v1/fill-checks", json=body, headers=headers)
    assert answer.json()["code"] == "idempotency_key_missing"


def test_whoever_may_not_call_is_told_so_before_a_key_is_asked_for(one_house: House) -> None:
    for role, code in ((None, "unauthenticated"), ("auditor", "not_allowed")):
        client = one_house.as_(role)
        client.event_hooks = {"request": []}
        assert client.post("/v1/fill-checks", json={}).json()["code"] == code


def test_the_key_of_a_refused_act_may_be_used_again(writes: Writes) -> None:
    write, key = writes.new("resolve_dispute"), {HEADER: new_id("key")}
    refused = writes.send(write._replace(path="/v1/disputes/nowhere/resolve"), **key)
    assert refused.json()["code"] == "dispute_unknown"
    assert writes.send(write, **key).status_code == 201


def test_a_key_of_one_act_is_not_taken_for_another_one(writes: Writes) -> None:
    first, second, key = writes.new("resolve_dispute"), writes.new("resolve_dispute"), {HEADER: new_id("key")}
    assert writes.send(first, **key).status_code == 201
    assert writes.send(second, **key).json()["code"] == "id_conflict"


def test_the_key_of_one_account_is_free_for_another(writes: Writes) -> None:
    key = {HEADER: new_id("key")}
    mine, theirs = writes.new("import_cylinders"), writes.new("import_cylinders")._replace(token="token-of-company-2")
    answers = [writes.send(write, **key).json() for write in (mine, theirs)]
    assert [answer["registered"] for answer in answers] == [1, 1]


def test_an_upload_whose_answer_was_lost_is_answered_as_the_first_time(uploads: Writes) -> None:
    write, key = uploads.new("upload_entries"), {HEADER: new_id("key")}
    first, again, elsewhere = uploads.send(write, **key), uploads.send(write, **key), uploads.send(write)
    assert first.json()["answers"][0]["status"] == "stored"
    assert again.content == first.content
    assert elsewhere.json()["answers"][0]["status"] == "known"


def test_a_station_that_got_an_answer_asks_anew_when_it_sends_the_same_records_again(uploads: Writes) -> None:
    body = uploads.new("upload_entries").body
    assert body is not None
    texts = [text.encode() for text in body["records"]]

    async def upload_twice() -> list[str]:
        async with StationsService(uploads.house.url, "token-of-station", "st_1") as service:
            answers = [await service.upload(body["device_id"], texts, body["head"]) for _ in range(2)]
            return [answer.answers[0].status for answer in answers]

    assert asyncio.run(upload_twice()) == ["stored", "known"]


def test_while_an_act_is_worked_on_the_same_is_told_to_wait(one_house: House) -> None:
    body, gate, busy = check_body(one_house.new_bottle()), threading.Event(), threading.Event()

    def hold(_unit: object) -> None:
        busy.set()
        gate.wait(20)

    held = one_house.running.ledger.submit(hold)
    assert busy.wait(20)
    clients = [one_house.as_("station") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(client.post, "/v1/fill-checks", json=body) for client in clients]
        (told,), (left,) = wait(asked, timeout=20, return_when=FIRST_COMPLETED)
        gate.set()
        held.result(20)
    waiting, first = told.result(), left.result()
    assert (waiting.status_code, waiting.json()["code"]) == (409, "still_running")
    assert int(waiting.headers["retry-after"]) > 0
    assert first.status_code == 200
    assert ask(one_house, body, body["check_id"]).content == first.content


def test_on_both_homes_whichever_process_is_asked_again_answers_with_the_same_bytes(house: House) -> None:
    writes = Writes(house)
    for operation in ("check_fill", "import_cylinders", "upload_entries", "issue_enrolment_code", "resolve_dispute"):
        write = writes.new(operation)
        key = {HEADER: key_of(write)}
        answers = [writes.send(write, **key) for _ in range(3)]
        assert answers[0].is_success, (operation, answers[0].text)
        assert len({answer.content for answer in answers}) == 1, operation
        assert {writes.send(other(write), **key).json()["code"] for _ in range(2)} == {"id_conflict"}, operation


def test_no_secret_is_kept_with_an_answer_nor_can_be_guessed_from_what_is_kept(writes: Writes) -> None:
    keys = {operation: new_id("key") for operation in SECRET}
    told = {operation: writes.send(writes.new(operation), **{HEADER: key}).json() for operation, key in keys.items()}
    change = writes.new("change_password")
    assert writes.send(change, **{HEADER: "change"}).status_code == 200
    payload = orjson.dumps(change.body)
    with writes.house.running.ledger.engine.connect() as connection:
        rows = {row.key: row for row in connection.execute(select(KeptAnswerRow.__table__))}  # type: ignore[attr-defined]
    assert {"code"} <= set(told["issue_enrolment_code"])
    assert all(rows[key].answer is None for key in keys.values())
    place = b"POST\0/v1/me/password\0\0"
    assert rows["change"].request_sha256 not in {
        sha256(text).hexdigest() for text in (payload, place + payload, place + json.dumps(change.body).encode())
    }


def test_an_answer_is_kept_for_a_week_and_then_forgotten(tmp_path: Path) -> None:
    ahead = [0]
    with House(tmp_path, clock=lambda: system_clock() + ahead[0]) as house:
        writes, key = Writes(house), {HEADER: "the-key"}
        first, second = writes.new("import_cylinders"), writes.new("import_cylinders")
        told = writes.send(first, **key)
        ahead[0] = KEPT_MS - 60_000
        assert writes.send(second, **key).json()["code"] == "id_conflict"
        assert writes.send(first, **key).content == told.content
        ahead[0] = KEPT_MS + 60_000
        writes.send(writes.new("import_cylinders"))  # with it what is older goes
        assert writes.send(second, **key).json()["registered"] == 1
