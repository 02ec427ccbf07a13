"""Named queries and who is told what is new of them, by a real receiver: at once, by a schedule, signed, and again."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_house import ClockAhead, House, database_of, new_id
from epcis_events import put_event, put_events
from sqlalchemy import select
from test_epcis_query_api import listed, onward, refusal, seen

from cylinder_trace.store.accounts import secret_sha256
from cylinder_trace.store.epcis.named import SUBSCRIPTION
from cylinder_trace.store.tables import AccountRow
from cylinder_trace.store.unit import Unit
from gs1.schema import schema_fault
from servers.receiver import Received, Receiver, says

DAY = 24 * 3_600_000
TOKEN = "13df38d8275b13f05704629e5f1cf3d45d6132d5"
EN = {"Accept-Language": "en"}


@pytest.fixture(scope="module")
def clock() -> ClockAhead:
    return ClockAhead()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def home(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clock: ClockAhead
) -> Iterator[House]:
    """A service whose answers reach the loopback, on each home."""
    folder = tmp_path_factory.mktemp("subscriptions")
    with database_of(request) as url, House(folder, url, private_receivers=True, clock=clock) as house:
        yield house


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def kept(client: httpx.Client, query: dict[str, Any]) -> str:
    """The name of a new query."""
    name = new_id("query")
    answer = client.post("/epcis/queries", json={"name": name, "query": query})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/epcis/queries/{name}/events"
    return name


def subscribed(client: httpx.Client, name: str, dest: str, **more: Any) -> str:
    """Where a new subscription is."""
    said = {"dest": dest, **({"stream": True} if "schedule" not in more else {}), **more}
    answer = client.post(f"/epcis/queries/{name}/subscriptions", json=said)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"].endswith(answer.json()["subscriptionID"])
    assert "signatureToken" not in answer.text
    return str(answer.headers["location"])


def told(received: Received) -> list[str]:
    """The ids of the events in a document."""
    results = json.loads(received.body)["epcisBody"]["queryResults"]
    return [event["eventID"] for event in results["resultsBody"]["eventList"]]


def failures(home: House, address: str) -> int:
    """How often in a row a subscription was not taken."""
    with home.running.ledger.engine.connect() as reading:
        query = select(SUBSCRIPTION.c.failures).where(SUBSCRIPTION.c.id == address.rpartition("/")[2])
        return int(reading.scalar(query) or 0)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# --- queries -------------------------------------------------------------------------------------------------


def test_a_named_query_answers_like_its_parameters_page_by_page(home: House) -> None:
    client, serial = home.as_("regulator"), new_id("Named")
    for _ in range(3):
        put_event(home, seen(serial), org_id="co_1")
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]], "eventType": ["ObjectEvent"]})
    first = client.get(f"/epcis/queries/{name}/events", params={"perPage": 2})
    assert first.json()["epcisBody"]["queryResults"]["queryName"] == name
    second = client.get(str(onward(first)))
    assert [len(listed(first)), len(listed(second))] == [2, 1]
    shown = client.get(f"/epcis/queries/{name}").json()
    assert shown in client.get("/epcis/queries", params={"perPage": 1000}).json()
    wrong = client.get(f"/epcis/queries/{name}/events", params={"EQ_bizStep": "shipping"})
    assert refusal(wrong)[:2] == (400, "QueryParameterException")


def test_queries_are_an_organisations_own(home: House) -> None:
    name = kept(home.as_("company"), {})
    assert refusal(home.as_("regulator").get(f"/epcis/queries/{name}"))[:2] == (404, "NoSuchNameException")
    again = home.as_("company").post("/epcis/queries", json={"name": name, "query": {}})
    assert refusal(again)[:2] == (409, "ResourceAlreadyExistsException")
    assert home.as_("regulator").post("/epcis/queries", json={"name": name, "query": {}}).status_code == 201
    assert home.as_("company").delete(f"/epcis/queries/{name}").status_code == 204
    assert refusal(home.as_("company").delete(f"/epcis/queries/{name}"))[0] == 404


def test_queries_are_listed_by_name_page_by_page(home: House) -> None:
    client = home.as_("auditor")
    names = {kept(client, {}) for _ in range(5)}
    answer, found = client.get("/epcis/queries", params={"perPage": 2}), list[str]()
    while True:
        found += [query["name"] for query in answer.json()]
        if (link := onward(answer)) is None:
            break
        answer = client.get(link)
    assert found == sorted(set(found))
    assert names <= set(found)


def test_a_query_brings_its_own_prefixes(home: House) -> None:
    event = seen(new_id("Ex"), **{"ex:note": "one"})
    context = b'["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"ex":"https://ns.example.org/"}]'
    event_id = put_event(home, event, org_id="co_1", context=context)
    said = {"@context": {"my": "https://ns.example.org/"}, "EQ_my:note": ["one"], "EQ_eventID": [event_id]}
    name = kept(home.as_("company"), said)
    assert len(listed(home.as_("company").get(f"/epcis/queries/{name}/events"))) == 1


@pytest.mark.parametrize(
    ("body", "status", "exception"),
    [
        (b'{"name": "a", "query": {"EQ_color": ["red"]}}', 400, "QueryParameterException"),
        (b'{"name": "a", "query": {"perPage": 3}}', 400, "QueryParameterException"),
        (b'{"name": "a", "query": {"EQ_my:x": ["1"], "@context": {"my": 7}}}', 400, "QueryValidationException"),
        (b'{"name": "a", "query": {"MATCH_epc": [{}]}}', 400, "QueryValidationException"),
        (b'{"name": "../a", "query": {}}', 400, "QueryValidationException"),
        (b'{"name": "", "query": {}}', 400, "QueryValidationException"),
        (b'{"name": "a"}', 400, "ValidationException"),
        (b'{"name": "a", "query": {}, "more": 1}', 400, "ValidationException"),
        (b'{"name": "a", "query": []}', 400, "ValidationException"),
        (b'{"name": "a", "name": "b", "query": {}}', 400, "ValidationException"),
        (b"[" * 100_000, 413, "CaptureLimitExceededException"),
        (b"[" * 10_000, 400, "ValidationException"),
        (b"not json", 400, "ValidationException"),
        (b"\xff", 400, "ValidationException"),
    ],
)
def test_a_query_that_cannot_be_kept_is_refused(one_house: House, body: bytes, status: int, exception: str) -> None:
    client = one_house.as_("company")
    refused = client.post("/epcis/queries", content=body, headers={"Content-Type": "application/json"})
    assert refusal(refused)[:2] == (status, exception)
    assert client.get("/epcis/queries").json() == []


# --- subscriptions -------------------------------------------------------------------------------------------


def test_a_stream_tells_each_new_event_once_signed_and_valid(
    home: House, receiver: Receiver, conformance_data: Path
) -> None:
    client, serial = home.as_("regulator"), new_id("Stream")
    before = put_event(home, seen(serial), org_id="co_1")
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    address = subscribed(client, name, receiver.url(), signatureToken=TOKEN)
    first = put_event(home, seen(serial), org_id="co_1")
    (message,) = receiver.wait_for(1)
    assert told(message) == [first] != [before]
    document = json.loads(message.body)
    assert schema_fault(document, conformance_data) is None
    results = document["epcisBody"]["queryResults"]
    assert (results["queryName"], address.endswith(results["subscriptionID"])) == (name, True)
    signed = f"{message.headers['webhook-id']}.{message.headers['webhook-timestamp']}.".encode() + message.body
    signature = "v1," + base64.b64encode(hmac.digest(TOKEN.encode(), signed, "sha256")).decode()
    assert message.headers["gs1-signature"] == message.headers["webhook-signature"] == signature
    second = put_event(home, seen(serial), org_id="co_1")
    assert [told(one) for one in receiver.wait_for(2)] == [[first], [second]]
    until(lambda: "lastNotifiedAt" in client.get(address).json())


def test_a_stream_advances_only_when_its_events_were_taken(home: House, receiver: Receiver, clock: ClockAhead) -> None:
    client, serial = home.as_("regulator"), new_id("Again")
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    receiver.will(says(500), says(302, "Location: https://elsewhere.example/\r\n"), says(204))
    address = subscribed(client, name, receiver.url())
    event_id = put_event(home, seen(serial), org_id="co_1")
    for count in (1, 2):
        receiver.wait_for(count)
        until(lambda: failures(home, address) == count)  # noqa: B023 - asked at once
        clock.ahead += DAY
    messages = receiver.wait_for(3)
    assert [told(message) for message in messages] == [[event_id]] * 3
    assert "gs1-signature" not in messages[0].headers
    until(lambda: "lastNotifiedAt" in client.get(address).json())


def test_a_long_backlog_comes_in_several_documents_in_order(home: House, receiver: Receiver) -> None:
    client, serial = home.as_("regulator"), new_id("Long")
    made = put_events(home, [seen(serial) for _ in range(201)], org_id="co_1")
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    subscribed(client, name, receiver.url(), initialRecordTime="2020-01-01T00:00:00Z")
    messages = receiver.wait_for(2)
    assert [event_id for message in messages for event_id in told(message)] == made


def test_a_schedule_tells_at_its_moment_also_that_there_is_nothing(
    home: House, receiver: Receiver, clock: ClockAhead
) -> None:
    client, serial = home.as_("regulator"), new_id("Timed")
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    hour = datetime.fromtimestamp(clock() / 1000, UTC).hour
    schedule = {"hour": str((hour + 2) % 24), "minute": "0"}
    address = subscribed(client, name, receiver.url(), schedule=schedule, reportIfEmpty=True)
    quiet = subscribed(client, name, receiver.url("/quiet"), schedule=schedule)
    event_id = put_event(home, seen(serial), org_id="co_1")
    assert client.get(address).json()["schedule"] == schedule
    clock.ahead += DAY
    assert told(receiver.wait_for(1)[0]) == [event_id]
    assert told(receiver.wait_for(1, "/quiet")[0]) == [event_id]
    until(lambda: "lastNotifiedAt" in client.get(quiet).json() and "lastNotifiedAt" in client.get(address).json())
    clock.ahead += DAY
    assert told(receiver.wait_for(2)[1]) == []
    assert len(receiver.at("/quiet")) == 1


def test_a_receiver_that_says_gone_is_left_alone(home: House, receiver: Receiver) -> None:
    client, serial = home.as_("regulator"), new_id("Gone")
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    receiver.will(says(410))
    address = subscribed(client, name, receiver.url())
    put_event(home, seen(serial), org_id="co_1")
    receiver.wait_for(1)
    until(lambda: client.get(address).status_code == 404)
    assert client.get(f"/epcis/queries/{name}/subscriptions").json() == []


def test_what_is_told_is_what_the_subscriber_may_see_as_long_as_he_may(home: House, receiver: Receiver) -> None:
    def lock_out(unit: Unit) -> None:
        row = unit.find(AccountRow, secret_sha256(secret))
        assert row is not None
        unit.put(row.model_copy(update={"revoked_at": 1}))

    secret, serial = new_id("secret"), new_id("Rights")
    account = AccountRow(
        token_sha256=secret_sha256(secret), account_id=new_id("caller"), role="company", org_id="co_1"
    )  # fmt: skip
    home.running.ledger.transact(lambda unit: unit.put(account))
    client = home.as_(None, secret)
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    address = subscribed(client, name, receiver.url())
    put_event(home, seen(serial), org_id="co_2")
    own = put_event(home, seen(serial), org_id="co_1")
    assert told(receiver.wait_for(1)[0]) == [own]
    home.running.ledger.transact(lock_out)
    put_event(home, seen(serial), org_id="co_1")
    until(lambda: home.as_("company").get(address).status_code == 404)
    assert len(receiver.at()) == 1


@pytest.mark.parametrize("change", [{"role": "delivery"}, {"org_id": "co_2"}, {"scope": "epcis:capture cylinder:read"}])
def test_whoever_is_somebody_else_by_now_or_may_ask_no_more_is_told_nothing(
    home: House, receiver: Receiver, change: dict[str, str]
) -> None:
    secret, serial = new_id("secret"), new_id("Changed")
    account = AccountRow(
        token_sha256=secret_sha256(secret), account_id=new_id("caller"), role="company", org_id="co_1"
    )  # fmt: skip
    home.running.ledger.transact(lambda unit: unit.put(account))
    client = home.as_(None, secret)
    name = kept(client, {"MATCH_epc": [seen(serial)["epcList"][0]]})
    address = subscribed(client, name, receiver.url())
    home.running.ledger.transact(lambda unit: unit.put(account.model_copy(update=change)))
    put_event(home, seen(serial), org_id="co_1")
    until(lambda: home.as_("company").get(address).status_code == 404)
    assert receiver.at() == []


def test_a_subscription_ends_with_its_query_and_by_itself(home: House, receiver: Receiver) -> None:
    client = home.as_("regulator")
    name = kept(client, {})
    first, second = (subscribed(client, name, receiver.url(), schedule={"hour": "1"}) for _ in range(2))
    assert len(client.get(f"/epcis/queries/{name}/subscriptions").json()) == 2
    assert client.delete(first).status_code == 204
    assert refusal(client.get(first))[:2] == (404, "NoSuchResourceException")
    assert client.delete(f"/epcis/queries/{name}").status_code == 204
    assert refusal(client.get(second))[:2] == (404, "NoSuchNameException")
    until(lambda: client.delete(second).status_code == 404)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({}, "either stream: true or a schedule"),
        ({"stream": False}, "either stream: true or a schedule"),
        ({"stream": True, "schedule": {"hour": "1"}}, "either stream: true or a schedule"),
        ({"schedule": {}}, "schedule.hour"),
        ({"schedule": {"hour": "25"}}, "schedule.hour"),
        ({"schedule": {"month": "2", "dayOfMonth": "30"}}, "schedule.dayOfMonth"),
        ({"schedule": {"year": "2026"}}, "schedule.year"),
        ({"stream": True, "reportIfEmpty": True}, "reportIfEmpty"),
        ({"stream": True, "initialRecordTime": "yesterday"}, "initialRecordTime"),
        ({"stream": True, "signatureToken": ""}, "signatureToken"),
        ({"stream": True, "signatureToken": "whsec_!"}, "signatureToken"),
        ({"stream": True, "signatureToken": "x" * 501}, "signatureToken"),
        ({"stream": True, "dest": "http://client.example.com/"}, "dest: the URL must begin with https://"),
        ({"stream": True, "dest": "https://127.0.0.1/"}, "dest: the host leads to an address that is not public"),
        ({"stream": True, "dest": "file:///etc/passwd"}, "dest"),
        ({"stream": True, "dest": "https://user:word@client.example.com/"}, "dest"),
    ],
)
def test_a_subscription_that_cannot_be_kept_is_refused(one_house: House, said: dict[str, Any], word: str) -> None:
    client = one_house.as_("company")
    name = kept(client, {})
    body = {"dest": "https://client.example.com/callback", **said}
    status, exception, detail = refusal(client.post(f"/epcis/queries/{name}/subscriptions", json=body, headers=EN))
    assert (status, exception) == (400, "SubscriptionControlsException")
    assert word in detail
    chinese = refusal(client.post(f"/epcis/queries/{name}/subscriptions", json=body))[2]
    assert chinese != detail
    client.delete(f"/epcis/queries/{name}")


def test_a_query_that_counts_cannot_be_subscribed_to(one_house: House) -> None:
    client = one_house.as_("company")
    name = kept(client, {"maxEventCount": 3})
    said = {"dest": "https://client.example.com/callback", "stream": True}
    refused = client.post(f"/epcis/queries/{name}/subscriptions", json=said, headers=EN)
    assert refusal(refused)[1] == "SubscriptionControlsException"
    client.delete(f"/epcis/queries/{name}")


@pytest.mark.parametrize("path", ["", "/x", "/x/events", "/x/subscriptions", "/x/subscriptions/y"])
def test_options_say_what_a_query_takes(one_house: House, path: str) -> None:
    answer = one_house.as_(None).options(f"/epcis/queries{path}")
    assert answer.status_code == 204
    assert "GET" in answer.headers["allow"]
