"""Every write of the document with its own example, made to fit a test's ledger: what it needs is stated before."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import pyotp
from api_house import DEVICE, DEVICE_KEY, Bottle, Device, House, new_id, now
from test_imports_route import HEADERS, new_code

from cylinder_api.access import SESSION_COOKIE
from cylinder_api.acts.enrolment import revoke_device, trust_device
from cylinder_api.acts.people import session_id_of
from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.events import DisputeRaised
from cylinder_trace.store.accounts import secret_sha256
from cylinder_trace.store.unit import Unit

Body = dict[str, Any]
HERE = {
    "st_01": "st_1", "sc_01_3": "sc_1_1", "fl_01_1": "fl_1", "co_01": "co_1", "co_02": "co_2", "ib_01": "ib_1",
    "au_01": "au_1", "regulator_02": "regulator_2",
}  # fmt: skip
"""What the examples name, as it is called in the ledger of the tests."""


class Write(NamedTuple):
    """One request that the service takes."""

    operation: str
    token: str | None
    method: str
    path: str
    body: Body | None
    file: bytes | None = None


class World(NamedTuple):
    """Whose data the requests are about: organisations, their device and their tokens."""

    names: Mapping[str, str]
    """What the examples name, as it is called in the ledger of the tests."""
    device_id: str
    key: SigningKey
    tokens: str
    """What the tokens of these organisations are called, with the role in it."""


OWN = World(HERE, DEVICE, DEVICE_KEY, "token-of-{role}")


class Writes:
    """Good requests for every write of a house, each with new ids and a cylinder of its own."""

    def __init__(self, house: House, world: World = OWN) -> None:
        self.house = house
        self.world = world
        self.operations = _writes_of(house.as_(None).get("/openapi.json").json())
        self.device = Device(world.key, world.device_id, world.names["st_01"])

    def new_bottle(self) -> Bottle:
        """A cylinder of the company."""
        return self.house.new_bottle(self.world.names["co_01"])

    def new(self, operation: str) -> Write:
        """One more request for an operation."""
        method, path, example = self.operations[operation]
        return _MAKE.get(operation, _plain)(self, Write(operation, self.token_of(operation), method, path, example))

    def token_of(self, operation: str) -> str | None:
        """Whose token may call it; None where nobody's is asked for."""
        role = _ROLE[operation]
        return self.world.tokens.format(role=role) if role else None

    def send(self, write: Write, **headers: str) -> Any:
        """Send it, by default under a key of its own."""
        content: Body = {"json": write.body} if write.file is None else {"files": {"file": ("t.csv", write.file)}}
        client = self.house.as_(None, write.token)
        return client.request(write.method, write.path, headers=headers, **content)

    def done(self, operation: str, **changes: Any) -> Write:
        """A write that was sent and taken: what another one follows on."""
        write = self.new(operation)
        write = write._replace(body={**(write.body or {}), **changes})
        answer = self.send(write)
        assert answer.is_success, (operation, answer.text)
        return write


def _writes_of(document: Body) -> dict[str, tuple[str, str, Body | None]]:
    return {
        operation["operationId"]: (method, path, _example(operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "get" and path.startswith(("/v1/", "/epcis/"))
    }


def _example(operation: Body) -> Body | None:
    content = operation.get("requestBody", {}).get("content", {})
    example: Body | None = content.get("application/json", {}).get("example")
    return example


def _plain(writes: Writes, write: Write) -> Write:
    """The example with the names of this ledger, a new id, the present moment and a new cylinder."""
    if write.body is None:
        return write
    body = json.loads(json.dumps(write.body), object_hook=partial(_renamed, names=writes.world.names))
    fresh = {
        "id": new_id(write.operation),
        "occurred_at": now(),
        "code": writes.new_bottle().code if "code" in body else None,
    }
    return write._replace(body={**body, **{name: value for name, value in fresh.items() if name in body}})


def _renamed(body: Body, names: Mapping[str, str]) -> Body:
    return {name: names.get(value, value) if isinstance(value, str) else value for name, value in body.items()}


def _with(write: Write, **changes: Any) -> Write:
    return write._replace(body={**(write.body or {}), **changes})


def _of(write: Write, name: str) -> Any:
    return (write.body or {})[name]


def _follows(first: str, *shared: str) -> Callable[[Writes, Write], Write]:
    """The write needs `first` to be done, about the same thing."""

    def make(writes: Writes, write: Write) -> Write:
        before = writes.done(first)
        return _with(_plain(writes, write), **{name: _of(before, name) for name in shared})

    return make


def _answers(first: str, place: str, name: str = "id", **changes: Any) -> Callable[[Writes, Write], Write]:
    """The write stands at an address that names what `first` stated."""

    def make(writes: Writes, write: Write) -> Write:
        before = writes.done(first)
        there = _at(_plain(writes, write), place, str(_of(before, name)))
        return _with(there, **changes) if changes else there

    return make


def _at(write: Write, place: str, value: str) -> Write:
    return write._replace(path=write.path.replace(f"{{{place}}}", value))


def _fresh_code(writes: Writes) -> str:
    return new_code(writes.house, next(_numbers))


_numbers = count()


def _check(writes: Writes, write: Write) -> Write:
    code = writes.new_bottle().code
    return _with(_plain(writes, write), check_id=new_id("check"), raw_scan=code, code=code, requested_at=now())


def _fill(writes: Writes, write: Write) -> Write:
    check, at = writes.done("check_fill"), now()
    return _with(_plain(writes, write), check_id=_of(check, "check_id"), started_at=at, ended_at=at)


def _upload(writes: Writes, write: Write) -> Write:
    bottle = writes.new_bottle()
    record = writes.device.decide(bottle)
    return _at(write._replace(body=writes.device.upload([record])), "station_id", writes.world.names["st_01"])


def _journal_handed_in(writes: Writes, write: Write) -> Write:
    device = Device(SigningKey(name := new_id("dev"), bytes(32)), name, writes.world.names["st_01"])

    def cut_off(unit: Unit) -> None:
        trust_device(unit, name, device.station_id, device.key.verifying_key, name)
        enrolled = unit.device(name)
        assert enrolled is not None
        revoke_device(unit, enrolled, "stolen", "tests")

    writes.house.running.ledger.transact(cut_off)
    device.decide(writes.new_bottle())
    return _at(write._replace(body=device.upload()), "station_id", device.station_id)


def _new_cylinder(writes: Writes, write: Write) -> Write:
    body = _plain(writes, write).body or {}
    return _with(
        write._replace(body=body), code=_fresh_code(writes),
        stamp={**body["stamp"], "serial": new_id("S").replace(".", "")},
    )  # fmt: skip


def _recall(writes: Writes, write: Write) -> Write:
    return _with(_plain(writes, write), maker=new_id("Maker "))


def _correction(writes: Writes, write: Write) -> Write:
    registered = writes.done("register_cylinder")
    return _with(_plain(writes, write), entry_id=_of(registered, "id"), now=new_id("T").replace(".", ""))


def _second_code(writes: Writes, write: Write) -> Write:
    return _with(_plain(writes, write), new_code=f"province:ZJ33{now() % 10**10:010d}")


def _retag(writes: Writes, write: Write) -> Write:
    bottle: Bottle = writes.new_bottle()
    serial = writes.house.entries_of(bottle.subject)[0].data["stamp"]["serial"]
    return _with(_plain(writes, write), code=bottle.cylinder_id, old_code=bottle.code, stamp_serial_seen=serial)


def _grant(writes: Writes, write: Write) -> Write:
    asked = writes.done("request_tag")
    there = _at(_plain(writes, write), "request_id", _of(asked, "id"))
    return _with(there, new_code=_fresh_code(writes))


def _resolution(writes: Writes, write: Write) -> Write:
    dispute, bottle = new_id("dispute"), writes.new_bottle()
    event = DisputeRaised(about_id=writes.house.entries_of(bottle.subject)[0].id, kind="test", message="looked odd")
    writes.house.append(bottle.subject, event, dispute)
    return _at(_plain(writes, write), "dispute_id", dispute)


def _use(writes: Writes, write: Write) -> Write:
    registered = writes.done("register_cylinder")
    return _with(_plain(writes, write), code=_of(registered, "code"))


def _lot(writes: Writes, write: Write) -> Write:
    return _with(_plain(writes, write), lot_id=new_id("lot"))


def _tested_lot(writes: Writes, write: Write) -> Write:
    test = writes.done("test_lot")
    return _at(_plain(writes, write), "lot_id", test.path.split("/")[3])


def _table(writes: Writes, write: Write) -> Write:
    row = f"{_fresh_code(writes)},{new_id('S')},示例厂,YSP35.5,2021-03,16.5,35.5,14.9,R-1,2025-01,"
    return write._replace(file=f"{HEADERS}\n{row}".encode())


def _undo(writes: Writes, write: Write) -> Write:
    imported = writes.send(writes.new("import_cylinders")).json()
    return _at(write, "import_id", imported["import_id"])


def _enrolment(writes: Writes, write: Write) -> Write:
    issued = writes.send(writes.new("issue_enrolment_code")).json()
    vkey = format_vkey(SigningKey("pc", new_id("seed").encode()[:32].ljust(32)).verifying_key)
    return write._replace(body={"code": issued["code"], "vkey": vkey})


def _authority_key(writes: Writes, write: Write) -> Write:
    vkey = format_vkey(SigningKey("au_1", new_id("seed").encode()[:32].ljust(32)).verifying_key)
    return _with(_plain(writes, write), vkey=vkey)


def _cut_off(writes: Writes, write: Write) -> Write:
    enrolled = writes.send(writes.new("enrol_device")).json()
    return _at(_plain(writes, write), "device_id", enrolled["device_id"])


def _customer(writes: Writes, write: Write) -> Write:
    sold = writes.send(writes.new("record_sale")).json()
    return _at(_plain(writes, write), "customer_id", sold["customer_id"])


def _safety_check(writes: Writes, write: Write) -> Write:
    sold = writes.send(writes.new("record_sale")).json()
    return _with(_plain(writes, write), customer_id=sold["customer_id"])


def _rack(writes: Writes, write: Write) -> Write:
    return _with(_plain(writes, write), codes=[writes.new_bottle().code for _ in range(3)])


def _named(name: str) -> Callable[[Writes, Write], Write]:
    """The write gives something an id of its own, which is no act's."""
    return lambda writes, write: _with(_plain(writes, write), **{name: new_id(name)})


def _webhook(writes: Writes, write: Write) -> Write:
    made = writes.send(writes.new("create_webhook")).json()
    return _at(_plain(writes, write), "webhook_id", made["webhook_id"])


def _message(writes: Writes, write: Write) -> Write:
    tested = writes.new("test_webhook")
    there = _at(write, "webhook_id", tested.path.split("/")[3])
    return _at(there, "message_id", writes.send(tested).json()["message_id"])


def _subscription(writes: Writes, write: Write) -> Write:
    location = writes.send(writes.new("subscribe_epcis_query")).headers["Location"]
    return write._replace(path=location)


def _acceptance(writes: Writes, write: Write) -> Write:
    invited = writes.send(writes.new("invite_user")).json()
    return _with(write, code=invited["code"])


def _sign_in(writes: Writes, write: Write) -> Write:
    accepted = writes.send(writes.new("accept_invitation")).json()
    number = pyotp.parse_uri(accepted["otpauth_uri"])
    assert isinstance(number, pyotp.TOTP)
    return _with(write, user_id=accepted["user_id"], totp=number.now())


def _session(writes: Writes, write: Write) -> Write:
    """By a person who has just signed in."""
    secret = writes.send(writes.new("sign_in")).cookies[SESSION_COOKIE]
    session_id = session_id_of(secret_sha256(secret))
    return _at(write._replace(token=secret), "session_id", session_id)


_MAKE: dict[str, Callable[[Writes, Write], Write]] = {
    "check_fill": _check,
    "record_fill": _fill,
    "upload_entries": _upload,
    "hand_in_entries": _journal_handed_in,
    "register_cylinder": _new_cylinder,
    "record_making": _new_cylinder,
    "open_recall": _recall,
    "close_recall": _answers("open_recall", "recall_id"),
    "correct_entry": _correction,
    "bind_code": _second_code,
    "request_tag": _retag,
    "grant_tag": _grant,
    "refuse_tag": _answers("request_tag", "request_id"),
    "destroy_cylinder": _follows("condemn_cylinder", "code"),
    "accept_cylinder": _answers("hand_over_cylinder", "handover_id"),
    "record_safety_check": _safety_check,
    "record_rack": _rack,
    "read_customer": _customer,
    "erase_customer": _customer,
    "lift_seizure": _follows("seize_cylinder", "code"),
    "clear_flag": _follows("flag_cylinder", "code", "flag"),
    "report_found": _follows("report_lost", "code"),
    "resolve_dispute": _resolution,
    "register_use": _use,
    "receive_lot": _lot,
    "test_lot": _answers("receive_lot", "lot_id", "lot_id"),
    "release_lot": _tested_lot,
    "block_lot": _answers("receive_lot", "lot_id", "lot_id"),
    **dict.fromkeys(("import_cylinders", "tell_bad_rows"), _table),
    "undo_import": _undo,
    "enrol_device": _enrolment,
    "cut_off_device": _cut_off,
    "state_authority_key": _authority_key,
    "register_client": _named("client_id"),
    "revoke_client": _answers("register_client", "client_id", "client_id"),
    "invite_user": _named("user_id"),
    "lock_user": _answers("invite_user", "user_id", "user_id"),
    **dict.fromkeys(
        ("change_webhook", "delete_webhook", "exchange_webhook_secret", "replay_webhook", "test_webhook"), _webhook
    ),
    "resend_delivery": _message,
    "create_epcis_query": _named("name"),
    **dict.fromkeys(("delete_epcis_query", "subscribe_epcis_query"), _answers("create_epcis_query", "name", "name")),
    "unsubscribe_epcis_query": _subscription,
    "accept_invitation": _acceptance,
    "sign_in": _sign_in,
    **dict.fromkeys(("sign_out", "end_session", "end_all_sessions", "change_password"), _session),
}
"""How the writes are made that need more than their example."""
_ROLE: dict[str, str | None] = {
    **dict.fromkeys(("check_fill", "record_fill", "upload_entries", "record_return",
                     "record_departure"), "station"),
    **dict.fromkeys(
        ("register_cylinder", "import_cylinders", "tell_bad_rows", "undo_import", "bind_code", "request_tag",
         "transfer_cylinder", "send_to_inspection", "report_lost", "report_found", "hand_over_cylinder", "receive_lot",
         "test_lot", "release_lot", "block_lot", "create_webhook", "change_webhook", "delete_webhook",
         "exchange_webhook_secret", "replay_webhook", "test_webhook", "resend_delivery"), "company",
    ),
    "hand_in_entries": "manager",
    "clear_flag": "regulator-2",
    "accept_cylinder": "company-2",
    **dict.fromkeys(
        ("create_epcis_query", "delete_epcis_query", "subscribe_epcis_query", "unsubscribe_epcis_query"), "company"
    ),
    **dict.fromkeys(("capture_epcis", "capture_epcis_event"), "company"),
    **dict.fromkeys(("record_sale", "record_safety_check"), "delivery"),
    **dict.fromkeys(("read_customer", "erase_customer"), "company"),
    "record_making": "maker",
    **dict.fromkeys(
        ("record_inspection", "record_rack", "record_inspection_item", "change_valve", "evaluate_cylinder",
         "condemn_cylinder", "destroy_cylinder"), "inspector",
    ),
    **dict.fromkeys(
        ("grant_tag", "refuse_tag", "seize_cylinder", "lift_seizure", "register_use", "cancel_registration",
         "record_licence", "flag_cylinder", "lock_filling", "open_recall", "close_recall",
         "resolve_dispute", "license_station", "verify_scale", "record_certificate", "correct_entry"),
        "regulator",
    ),
    **dict.fromkeys(
        ("state_authority_key", "issue_enrolment_code", "cut_off_device", "register_client", "revoke_client",
         "invite_user", "lock_user"),
        "admin",
    ),
    **dict.fromkeys(
        ("enrol_device", "accept_invitation", "sign_in", "sign_out", "end_session", "end_all_sessions",
         "change_password")
    ),
}  # fmt: skip
"""In which role each is sent."""
