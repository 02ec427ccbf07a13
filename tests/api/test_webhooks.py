"""Webhooks end to end: what is recorded reaches a real receiver, signed, thin, once the receiver is there."""

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from api_house import LATER, ClockAhead, House, check_body, database_of, new_id, now
from api_process import answer as command
from api_process import run

from cylinder_api.acts.enrolment import grant
from cylinder_api.delivery.signing import parse_secret
from cylinder_api.examples import SALE
from cylinder_trace import events
from cylinder_trace.store.tables import AccountRow
from cylinder_trace.store.unit import Unit
from servers.receiver import Received, Receiver, never, says

Json = dict[str, Any]
HOUR, DAY = 3_600_000, 24 * 3_600_000
FILLED, DECIDED = "org.pinglian.cylinder.filled.v1", "org.pinglian.fill.decided.v1"


class Clock(ClockAhead):
    """One whose steps the deliverer hears of."""

    def forward(self, house: House, ms: int) -> None:
        """Let time go by."""
        self.ahead += ms
        house.running.deliverer.notify()


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[House]:
    """A service whose messages reach the loopback, on each home."""
    folder = tmp_path_factory.mktemp("webhooks")
    with database_of(request) as url, House(folder, url, private_receivers=True, clock=clock) as house:
        yield at_once(house)


def at_once(house: House) -> House:
    """The house, whose deliverer does not wait for more to come together."""
    house.running.deliverer.gather_s = 0
    return house


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def hooked(home: House, receiver: Receiver) -> Iterator["Hook"]:
    hook = Hook(home, receiver.url())
    yield hook
    hook.client.delete(hook.path)


class Hook:
    """A webhook of a company, or of another role."""

    def __init__(self, house: House, url: str, *types: str, role: str = "company", token: str | None = None) -> None:
        self.house = house
        self.client = house.as_(role, token)
        answer = self.client.post("/v1/webhooks", json={"url": url, "types": list(types)})
        assert answer.status_code == 201, answer.text
        self.made: Json = answer.json()
        self.path = f"/v1/webhooks/{self.made['webhook_id']}"

    def get(self) -> Json:
        answer: Json = self.client.get(self.path).json()
        return answer

    def change(self, **changes: Any) -> Json:
        answer = self.client.patch(self.path, json=changes)
        assert answer.status_code == 200, answer.text
        changed: Json = answer.json()
        return changed

    def deliveries(self, **query: str) -> list[Json]:
        items: list[Json] = self.client.get(f"{self.path}/deliveries", params=query).json()["items"]
        return items

    def post(self, act: str, **body: Any) -> httpx.Response:
        return self.client.post(f"{self.path}/{act}", json=body or None)

    def until(self, what: Callable[[Json], bool], patience_s: float = 120) -> Json:
        """The webhook, as soon as it is so."""
        item: Json = until(self.get, what, patience_s)
        return item

    def until_delivered(self, count: int) -> list[Json]:
        """Its delivered messages, as soon as there are so many."""
        items: list[Json] = until(lambda: self.deliveries(state="delivered"), lambda items: len(items) >= count)
        return items


def until(look: Callable[[], Any], what: Callable[[Any], bool], patience_s: float = 120) -> Any:
    """What `look` sees, as soon as it is so."""
    end = time.monotonic() + patience_s
    while not what(seen := look()):
        assert time.monotonic() < end, seen
        time.sleep(0.03)
    return seen


def event_of(request: Received) -> Json:
    event: Json = json.loads(request.body)
    return event


def is_signed(request: Received, secret: str) -> bool:
    """As a receiver checks it, by the text of Standard Webhooks."""
    key = parse_secret(secret)
    assert key is not None
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    mine = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return mine in request.headers["webhook-signature"].split(" ")


# ------------------------------------------------------------------ what arrives


def test_what_is_recorded_of_an_own_cylinder_arrives_signed_and_thin(
    home: House, receiver: Receiver, hooked: Hook
) -> None:
    bottle = home.new_bottle()
    first, second = receiver.wait_for(2)[:2]
    registered = min((first, second), key=lambda one: event_of(one)["data"]["log_index"])
    entry = home.entries_of(bottle.subject)[0]
    row = home.running.ledger.reader.history(bottle.subject)[0]
    assert event_of(registered) == {
        "specversion": "1.0",
        "id": entry.id,
        "source": "https://ledger.example/tests",
        "type": "org.pinglian.cylinder.registered.v1",
        "subject": bottle.subject,
        "time": "2024-07-03T09:46:40.000Z",
        "datacontenttype": "application/json",
        "data": {
            "entry_id": entry.id,
            "event": "cylinder_registered",
            "log_index": row.index,
            "entry_hash": row.hash.hex(),
            "recorded_at": entry.recorded_at,
            "link": f"/v1/cylinders/{bottle.cylinder_id}/history",
        },
    }
    assert registered.headers["content-type"] == "application/cloudevents+json"
    assert is_signed(registered, hooked.made["secret"])
    assert not is_signed(registered, "whsec_" + base64.b64encode(bytes(32)).decode())


def test_only_the_types_that_were_asked_for_arrive(home: House, receiver: Receiver) -> None:
    hook = Hook(home, receiver.url(), DECIDED)
    bottle = home.new_bottle()
    check = home.as_("station").post("/v1/fill-checks", json=check_body(bottle))
    assert check.status_code == 200
    (decided,) = receiver.wait_for(1)
    assert event_of(decided)["type"] == DECIDED
    hook.until(lambda item: item["behind"] == item["waiting"] == 0)
    assert len(receiver.at()) == 1


def test_a_company_is_told_of_its_own_cylinders_and_of_one_that_it_gave_away_for_the_last_time(
    home: House, receiver: Receiver
) -> None:
    mine = Hook(home, receiver.url("/mine"))
    theirs = Hook(home, receiver.url("/theirs"), token="token-of-company-2")
    bottle = home.new_bottle()
    given = events.OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True)
    home.append(bottle.subject, given)
    home.append(bottle.subject, events.ReportedLost(holder_id="co_2", cause="lost"))
    for hook in (mine, theirs):
        hook.until(lambda item: item["behind"] == item["waiting"] == 0)
    told = {
        path: [event_of(one)["type"].split(".")[-2] for one in sorted(receiver.at(path), key=place)]
        for path in ("/mine", "/theirs")
    }
    assert told == {"/mine": ["registered", "code_bound", "ownership_transferred"],
                    "/theirs": ["ownership_transferred", "reported_lost"]}  # fmt: skip


def place(request: Received) -> int:
    index: int = event_of(request)["data"]["log_index"]
    return index


def test_an_authority_is_told_of_its_district_alone_and_one_without_a_district_of_all(
    home: House, receiver: Receiver
) -> None:
    home.running.ledger.transact(_let_in_an_authority_of_3301)
    near = Hook(home, receiver.url("/near"), token="token-of-3301")
    all_over = Hook(home, receiver.url("/all"), role="regulator")
    for station, region in (("st_7", "330106"), ("st_8", "320100")):
        licensed = events.StationLicensed(company_id=f"co_{station}", licence_no="L", valid_until=LATER, region=region)
        home.append(f"station/{station}", licensed)
    here, there = home.new_bottle("co_st_7"), home.new_bottle("co_st_8")
    for hook in (near, all_over):
        hook.until(lambda item: item["behind"] == item["waiting"] == 0)
    told = {event_of(one)["subject"] for one in receiver.at("/near")}
    assert told == {"station/st_7", here.subject}
    assert {event_of(one)["subject"] for one in receiver.at("/all")} == told | {"station/st_8", there.subject}
    for hook in (near, all_over):
        hook.client.delete(hook.path)


def _let_in_an_authority_of_3301(unit: Unit) -> None:
    grant(unit, "token-of-3301", "regulator_3301", "regulator", "au_3301")
    row = unit.find(AccountRow, unit.staged_rows(AccountRow)[-1].token_sha256)
    assert row is not None
    unit.put(row.model_copy(update={"district": "3301"}))


# ------------------------------------------------------------------ receivers that are not there


def gauges(home: House) -> dict[str, float]:
    """What Prometheus reads of webhooks; those of the tests before are among them."""
    told = home.as_("admin").get("/metrics").text.splitlines()
    lines = (line.split()[:2] for line in told if line.startswith("pinglian_webhook"))
    return {name: float(value) for name, value in lines}


def test_a_receiver_that_is_down_gets_every_message_when_it_is_back(home: House, clock: Clock) -> None:
    with Receiver() as gone:
        url = gone.url()
    hook = Hook(home, url)
    home.new_bottle()
    item = hook.until(lambda item: item["failures"] > 0)
    assert item["rests_until"] <= item["failing_since"] + 20_000
    item = hook.until(lambda item: item["waiting"] == 2)  # the second entry's message may be made after a first failure
    assert item["state"] == "on"
    numbers = gauges(home)
    assert numbers["pinglian_webhooks_failing"] >= 1
    assert numbers["pinglian_webhook_messages_waiting"] >= 2
    said = next(one for one in hook.deliveries() if one["attempts"])
    assert (said["state"], said["status"]) == ("waiting", None)
    assert "nobody listens" in said["said"]
    assert "无人监听" in said["said_zh"]
    with Receiver() as back:
        hook.change(url=back.url())
        received = back.wait_for(2)
        assert sorted(event_of(one)["data"]["event"] for one in received) == ["code_bound", "cylinder_registered"]
    assert hook.until_delivered(2)
    assert hook.get()["failing_since"] is None


def test_a_message_that_is_sent_again_bears_the_same_id_and_bytes(
    home: House, receiver: Receiver, clock: Clock, hooked: Hook
) -> None:
    receiver.will(says(500), says(503, "Retry-After: 7200\r\n"), says(204))
    hooked.post("test")
    receiver.wait_for(1)
    hooked.until(lambda item: item["failures"] == 1)
    clock.forward(home, 2 * 20_000)
    receiver.wait_for(2)
    item = hooked.until(lambda item: item["failures"] == 2)
    assert item["rests_until"] > clock() + HOUR
    clock.forward(home, 2 * HOUR)
    received = receiver.wait_for(3)
    assert len({(one.headers["webhook-id"], one.body) for one in received}) == 1
    assert [one.headers["webhook-timestamp"] for one in received] == sorted(
        {one.headers["webhook-timestamp"] for one in received}
    )
    (delivery,) = hooked.until_delivered(1)
    assert (delivery["attempts"], delivery["status"], delivery["type"]) == (3, 204, "org.pinglian.webhook.tested.v1")


def test_a_dead_receiver_holds_up_no_other(home: House, receiver: Receiver) -> None:
    receiver.will(never, path="/dead")
    dead = [Hook(home, receiver.url("/dead")) for _ in range(3)]
    alive = Hook(home, receiver.url("/alive"))
    for _ in range(20):
        home.new_bottle()
    receiver.wait_for(40, "/alive")
    assert alive.until_delivered(40)
    assert {hook.get()["waiting"] for hook in dead} == {40}
    for hook in (*dead, alive):
        hook.client.delete(hook.path)


def test_a_receiver_that_fails_for_days_is_switched_off_and_its_owner_can_see_why(
    home: House, receiver: Receiver, clock: Clock, hooked: Hook
) -> None:
    receiver.will(says(500))
    home.new_bottle()
    item = hooked.until(lambda item: item["failures"] > 0)
    while item["state"] == "on":
        clock.forward(home, 9 * HOUR)
        item = hooked.until(_tried_since(item))
    assert "three days" in item["off_because"]
    assert "三天" in item["off_because_zh"]
    assert {one["said"] for one in hooked.deliveries()} == {"the receiver answered 500"}
    assert hooked.post("test").json()["code"] == "webhook_off"
    home.new_bottle()
    receiver.will(says(204))
    before = len(receiver.at())
    assert hooked.change(state="on")["off_because"] is None
    receiver.wait_for(before + 2)


def _tried_since(before: Json) -> Callable[[Json], bool]:
    return lambda item: item["failures"] > before["failures"] or item["state"] == "off"


def test_410_switches_a_webhook_off_at_once_and_loses_nothing(home: House, receiver: Receiver, hooked: Hook) -> None:
    receiver.will(says(410))
    home.new_bottle()
    item = hooked.until(lambda item: item["state"] == "off")
    assert "410" in item["off_because"]
    receiver.will(says(204))
    before = len(receiver.at())
    home.new_bottle()
    hooked.change(state="on")
    receiver.wait_for(before + 4)
    told = {event_of(one)["id"] for one in receiver.at()[before:]}
    assert len(told) == 4


def test_a_message_that_is_never_taken_holds_up_no_other_and_is_given_up_after_three_days(
    home: House, receiver: Receiver, clock: Clock, hooked: Hook
) -> None:
    # The receiver takes everything but the first message of all.
    poison: list[str] = []

    def picky(stream: Any, ends: Any) -> None:
        request = receiver.received[-1]
        poison.append(request.headers["webhook-id"]) if not poison else None
        (says(400) if request.headers["webhook-id"] == poison[0] else says(204))(stream, ends)

    receiver.will(picky)
    hooked.post("test")
    hooked.until(lambda item: item["failures"] == 1)
    for _ in range(3):
        home.new_bottle()
        clock.forward(home, 9 * HOUR)
        until(lambda: _later(home, clock, hooked), lambda item: item["waiting"] == 1 and item["behind"] == 0)
    assert len(hooked.until_delivered(6)) == 6
    for _ in range(6):
        before = hooked.get()  # not behind the hours: they wake who sends
        clock.forward(home, 9 * HOUR)
        hooked.until(_tried_since(before) if before["waiting"] else lambda _item: True)
    (given_up,) = until(lambda: hooked.deliveries(state="failed"), bool)
    assert given_up["status"] == 400


def _later(home: House, clock: Clock, hook: Hook) -> Json:
    """The webhook, after its receiver has rested from a failure."""
    clock.forward(home, 20_000)
    return hook.get()


def test_what_was_delivered_is_listed_for_a_week(home: House, clock: Clock, hooked: Hook) -> None:
    hooked.post("test")
    hooked.until_delivered(1)
    clock.forward(home, 6 * DAY)
    hooked.post("test")
    assert len(hooked.until_delivered(2)) == 2
    clock.forward(home, 2 * DAY)
    until(lambda: len(hooked.deliveries()), lambda left: left == 1)


# ------------------------------------------------------------------ by hand


def test_one_message_is_sent_again_by_hand(home: House, receiver: Receiver, hooked: Hook) -> None:
    hooked.post("test")
    (first,) = hooked.until_delivered(1)
    answer = hooked.post(f"deliveries/{first['message_id']}/resend")
    assert (answer.status_code, answer.json()) == (202, {"message_id": first["message_id"]})
    received = receiver.wait_for(2)
    assert {one.headers["webhook-id"] for one in received} == {first["message_id"]}
    assert hooked.post("deliveries/msg_of_nobody/resend").json()["code"] == "message_unknown"


def test_everything_since_an_instant_is_sent_again_under_the_same_ids(
    home: House, receiver: Receiver, clock: Clock, hooked: Hook
) -> None:
    home.new_bottle()
    receiver.wait_for(2)
    hooked.until_delivered(2)
    clock.forward(home, HOUR)
    since = clock()
    home.new_bottle()
    receiver.wait_for(4)
    hooked.until_delivered(4)
    answer = hooked.post("replay", from_at=since).json()
    assert answer["entries"] == 2
    again = receiver.wait_for(6)
    ids = [one.headers["webhook-id"] for one in again]
    assert sorted(ids[4:]) == sorted(ids[2:4])
    assert len(hooked.until_delivered(4)) == 4
    assert hooked.post("replay", from_at=clock() + DAY).json()["entries"] == 0


def test_while_the_secret_is_exchanged_both_sign_and_a_day_later_the_new_one_alone(
    home: House, receiver: Receiver, clock: Clock, hooked: Hook
) -> None:
    old = hooked.made["secret"]
    headers = {"Idempotency-Key": new_id("rotate")}
    made = hooked.client.post(f"{hooked.path}/secret", headers=headers).json()
    assert hooked.client.post(f"{hooked.path}/secret", headers=headers).json() == made
    assert made["secret"] != old
    assert made["old_secret_until"] > clock()
    hooked.post("test")
    request = receiver.wait_for(1)[0]
    assert is_signed(request, old)
    assert is_signed(request, made["secret"])
    clock.forward(home, DAY)
    hooked.post("test")
    request = receiver.wait_for(2)[1]
    assert not is_signed(request, old)
    assert is_signed(request, made["secret"])


def test_a_webhook_is_made_once_however_often_it_is_asked_for_under_one_key(home: House, receiver: Receiver) -> None:
    client, headers = home.as_("company"), {"Idempotency-Key": new_id("hook")}
    body = {"url": receiver.url()}
    made = client.post("/v1/webhooks", json=body, headers=headers)
    again = client.post("/v1/webhooks", json=body, headers=headers)
    assert made.json()["secret"] == again.json()["secret"]
    assert made.json()["webhook_id"] == again.json()["webhook_id"]
    assert client.delete(f"/v1/webhooks/{made.json()['webhook_id']}").status_code == 200
    assert client.post("/v1/webhooks", json=body, headers=headers).json()["code"] == "id_conflict"


def test_who_read_another_state_of_it_changes_nothing(home: House, receiver: Receiver, hooked: Hook) -> None:
    tag = hooked.client.get(hooked.path).headers["ETag"]
    changed = hooked.client.patch(hooked.path, json={"types": [FILLED]}, headers={"If-Match": tag})
    assert changed.json()["types"] == [FILLED]
    late = hooked.client.patch(hooked.path, json={"types": []}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert hooked.client.delete(hooked.path, headers={"If-Match": tag}).status_code == 412
    assert hooked.get()["types"] == [FILLED]


def test_a_webhook_that_is_deleted_is_told_nothing_and_found_by_nobody(home: House, receiver: Receiver) -> None:
    hook = Hook(home, receiver.url())
    hook.post("test")
    hook.until_delivered(1)
    assert hook.client.delete(hook.path).status_code == 200
    home.new_bottle()
    assert hook.client.get(hook.path).json()["code"] == "webhook_unknown"
    assert hook.made["webhook_id"] not in {
        item["webhook_id"] for item in hook.client.get("/v1/webhooks").json()["items"]
    }
    assert len(receiver.at()) == 1


def test_the_list_of_messages_goes_on_where_a_page_ended(home: House, hooked: Hook) -> None:
    for _ in range(3):
        home.new_bottle()
    hooked.until_delivered(6)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = hooked.client.get(f"{hooked.path}/deliveries", params={"limit": 4, **after}).json()
        seen += [item["message_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == [item["message_id"] for item in hooked.deliveries()]
    assert len(set(seen)) == 6
    strange = hooked.client.get(f"{hooked.path}/deliveries", params={"after": "elsewhere"})
    assert strange.json()["code"] == "invalid"


# ------------------------------------------------------------------ what is not taken

REFUSED = {
    "plain http": {"url": "http://erp.example/"},
    "the loopback": {"url": "https://127.0.0.1/"},
    "a cloud's metadata": {"url": "https://[::ffff:169.254.169.254]/latest/"},
    "a user in the URL": {"url": "https://me:secret@erp.example/"},
    "an unknown type": {"url": "https://erp.example/", "types": ["org.pinglian.cylinder.exploded.v1"]},
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_what_is_no_webhook_is_refused_in_both_languages_without_repeating_it(one_house: House, body: Json) -> None:
    client = one_house.as_("company")
    for language, words in (("zh-CN", r"[\u4e00-\u9fff]"), ("en", "[a-z]")):
        answer = client.post("/v1/webhooks", json=body, headers={"Accept-Language": language})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert re.search(words, answer.json()["detail"])
        assert body["url"] not in answer.text
    assert client.get("/v1/webhooks").json() == {"items": []}


def test_an_organisation_has_so_many_webhooks_and_no_more(one_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cylinder_api.acts.webhooks.MOST_WEBHOOKS", 1)
    client, body = one_house.as_("regulator"), {"url": "https://erp.example/"}
    assert client.post("/v1/webhooks", json=body).status_code == 201
    full = client.post("/v1/webhooks", json=body)
    assert (full.status_code, full.json()["code"]) == (409, "webhooks_full")


# ------------------------------------------------------------------ what nobody is to learn


def test_no_message_about_a_sale_tells_who_bought(home: House, receiver: Receiver, hooked: Hook) -> None:
    bottle = home.new_bottle()
    sale = {**SALE, "id": new_id("sale"), "code": bottle.code, "occurred_at": now()}
    answer = home.as_("delivery").post("/v1/sales", json=sale)
    assert answer.status_code == 201, answer.text
    sold = until(lambda: [one for one in receiver.at() if event_of(one)["data"]["event"] == "sold"], bool)[0]
    assert set(event_of(sold)["data"]) == {"entry_id", "event", "log_index", "entry_hash", "recorded_at", "link"}
    entry = next(one for one in home.entries_of(bottle.subject) if one.type == "sold")
    personal = [*SALE["customer"].values(), *(str(value) for value in entry.data.values())]
    assert not [text for text in personal if text in sold.body.decode()]


# ------------------------------------------------------------------ on the server


def test_an_operator_sees_on_the_server_what_was_told_and_sends_it_again(
    home: House, receiver: Receiver, hooked: Hook
) -> None:
    hooked.post("test")
    (delivered,) = hooked.until_delivered(1)
    where = ("--data", home.folder, *(("--database-url", home.database_url) if home.database_url else ()))
    webhook_id = hooked.made["webhook_id"]
    listed = command("webhook", "list", *where)["webhooks"]
    assert [one["url"] for one in listed if one["webhook_id"] == webhook_id] == [receiver.url()]
    assert hooked.made["secret"] not in json.dumps(listed)
    told = command("webhook", "deliveries", "--id", webhook_id, "--state", "delivered", *where)["items"]
    assert [one["message_id"] for one in told] == [delivered["message_id"]]
    command("webhook", "resend", "--id", webhook_id, "--message", delivered["message_id"], *where)
    assert {one.headers["webhook-id"] for one in receiver.wait_for(2)} == {delivered["message_id"]}
    assert "no message msg_0" in run("webhook", "resend", "--id", webhook_id, "--message", "msg_0", *where).sentence
    assert "no webhook wh_0" in run("webhook", "deliveries", "--id", "wh_0", *where).sentence
