"""Who may do what: every operation, called with a real token of every role, about own, foreign and far data."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
from access_matrix import EXPECTED, PUBLIC, WHOSE, YES
from api_house import DEVICE, DEVICE_KEY, LATER, ORGS, House, new_id, now
from epcis_events import epcis_places
from every_read import captured_by, newest_tile, wait_for_captures
from every_write import HERE, World, Write, Writes
from public_labels import LABELLED, RESOLVED, label_places
from sqlalchemy import select
from sqlmodel import SQLModel
from test_machine_tokens import assertion

from cylinder_api.access import ROLES
from cylinder_api.acts.enrolment import grant, trust_device
from cylinder_codes.keys import SigningKey
from cylinder_trace import events
from cylinder_trace.store.tables import AccountRow
from cylinder_trace.store.unit import Unit
from servers.postgres import fresh_database

REGIONS = {"own": "330106", "foreign": "330109", "other_district": "330282"}
DISTRICT = "3301"
NUMBER = {"own": 1, "foreign": 2, "other_district": 3}
TABLES = (
    "account", "client", "assertion", "login", "device_code", "kept_answer", "person", "journal", "epcis_capture",
)  # fmt: skip
"""The service's own: what a refused write must leave as it was, beside the log."""


def world_of(whose: str) -> World:
    """The organisations of one row of the matrix."""
    number = NUMBER[whose]
    names = {name: f"{value.rpartition('_')[0]}_{number}" for name, value in HERE.items() if value.endswith("_1")}
    names |= {"sc_01_3": f"sc_{number}_1", "co_02": f"co_{number % 3 + 1}", "regulator_02": "regulator_of_nowhere"}
    names |= {"330000": REGIONS[whose], "mk_01": f"mk_{number}"}
    key = DEVICE_KEY if number == 1 else SigningKey(f"st_{number}-pc", bytes([number]) * 32)
    device_id = DEVICE if number == 1 else f"dev_pc_{number}"
    return World(names, device_id, key, f"token-{number}-{{role}}")


def furnish(unit: Unit, whose: str) -> None:
    """Station, company and accounts of one row: two accounts of a role, so that a second person is at hand."""
    world, number = world_of(whose), NUMBER[whose]
    for role, org_id in {**ORGS, "regulator-2": "au_1", "company-2": f"co_{number % 3 + 1}"}.items():
        name = org_id if role in ("admin", "company-2") else f"{org_id.rpartition('_')[0]}_{number}"
        grant(unit, f"token-{number}-{role}", f"{role}.{number}", role.removesuffix("-2"), name)
    if unit.device(world.device_id) is None:
        trust_device(unit, world.device_id, f"st_{number}", world.key.verifying_key, f"token-{number}-station")
    else:
        grant(unit, f"token-{number}-station", world.device_id, "station", f"st_{number}")
    station = f"station/st_{number}"
    licensed = events.StationLicensed(
        company_id=f"co_{number}", licence_no=f"L{number}", valid_until=LATER, region=REGIONS[whose]
    )
    for event in (
        licensed,
        events.ScaleVerified(scale_id=f"sc_{number}_1", valid_until=LATER),
        events.WorkerCertified(worker_id=f"fl_{number}", valid_until=LATER),
    ):
        unit.append(events.state_event(event, id=new_id("seed"), subject=station, occurred_at=now(), by="tests"))


def let_in(unit: Unit) -> None:
    """The callers: one account of each role in the own row, an authority's bound to its district."""
    for role, org_id in ORGS.items():
        district = DISTRICT if role == "regulator" else None
        account_id = DEVICE if role == "station" else f"caller.{role}"
        grant(unit, f"caller-{role}", account_id, role, org_id)
        row = unit.find(AccountRow, unit.staged_rows(AccountRow)[-1].token_sha256)
        assert row is not None
        unit.put(row.model_copy(update={"district": district}))


@dataclass
class Doors:
    """A service with three rows of organisations, a client of each role, and requests that are good."""

    house: House
    writes: dict[str, Writes] = field(default_factory=dict)
    clients: dict[str | None, httpx.Client] = field(default_factory=dict)
    paths: dict[str, tuple[str, str]] = field(default_factory=dict)

    def open(self) -> "Doors":
        transact = self.house.running.ledger.transact
        for whose in WHOSE:
            transact(partial(furnish, whose=whose))
        transact(let_in)
        document = self.house.as_(None).get("/openapi.json").json()
        self.paths = {
            operation["operationId"]: (method, path)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        self.writes = {whose: Writes(self.house, world_of(whose)) for whose in WHOSE}
        self.clients = {role: self.house.as_(None, f"caller-{role}") for role in ROLES}
        self.clients[None] = self.house.as_(None)
        return self

    def request(self, operation: str, whose: str) -> Write:
        """A good request about the data of one row, with whatever it needs stated before."""
        if operation in _SPECIAL:
            return _SPECIAL[operation](self, whose)
        method, path = self.paths[operation]
        if method != "get":
            return self.writes[whose].new(operation)
        return _read(self, operation, path, whose)

    def answer(self, write: Write, role: str | None) -> tuple[int, str | None]:
        """Status and code of the answer that a role gets."""
        content: dict[str, Any] = {"json": write.body} if write.file is None else {"files": {"file": ("t", write.file)}}
        if write.operation == "issue_token":
            content = {"data": write.body}
        with self.clients[role].stream(write.method, write.path, **content) as got:
            if got.is_success:  # a stream of changes has no end
                return got.status_code, None
            got.read()
        return got.status_code, got.json().get("code")

    def fingerprint(self) -> tuple[object, ...]:
        """The log's size and every row that a write could have touched."""
        wait_for_captures(self.house)
        size = self.house.running.ledger.reader.size()
        with self.house.running.ledger.engine.connect() as connection:
            tables = (SQLModel.metadata.tables[name] for name in TABLES)
            return (size, *(frozenset(connection.execute(select(table)).all()) for table in tables))


# --- reading ----------------------------------------------------------------------------------------------------


def _bottle(doors: Doors, whose: str) -> str:
    """A cylinder of the row's company, made by the row's maker."""
    bottle = doors.writes[whose].new_bottle()
    stamp = events.Stamp(**doors.house.entries_of(bottle.subject)[0].data["stamp"])
    made = events.CylinderMade(
        maker_id=f"mk_{NUMBER[whose]}", stamp=stamp, made_on="2024-03-02", certificate_no="C", batch_no="B"
    )
    doors.house.append(bottle.subject, made)
    return bottle.code


def _places(doors: Doors, operation: str, whose: str) -> dict[str, Any]:
    """What goes into the address of a read."""
    number = NUMBER[whose]
    match operation:
        case "get_cylinder" | "get_history" | "get_history_bundle":
            return {"name": _bottle(doors, whose)}
        case _ if operation in LABELLED:
            return label_places(doors.house, _bottle(doors, whose))[operation]
        case "get_import":
            return {
                "import_id": doors.writes[whose].send(doors.writes[whose].new("import_cylinders")).json()["import_id"]
            }
        case "get_webhook" | "list_deliveries":
            writes = doors.writes[whose]
            return {"webhook_id": writes.send(writes.new("create_webhook")).json()["webhook_id"]}
        case "get_capture":
            return {"capture_id": captured_by(doors.writes[whose])}
        case "list_recalled":
            return {"recall_id": doors.writes[whose].done("open_recall").body["id"]}  # type: ignore[index]
        case _ if "epcis" in operation:
            token = doors.writes[whose].token_of("create_epcis_query")
            return epcis_places(doors.house, _bottle(doors, whose), token).get(operation, {})
        case "get_entry_bundle" | "get_tile":
            return {"level": "0", "place": newest_tile(doors.house)}
        case "get_problem_page":
            return {"code": "not_allowed"}
    return {"station_id": f"st_{number}"}


def _read(doors: Doors, operation: str, path: str, whose: str) -> Write:
    number = NUMBER[whose]
    asked = {
        **dict.fromkeys(RESOLVED, "?linkType=linkset"),
        "list_fill_checks": f"?station_id=st_{number}",
        "list_cylinders": f"?owner=co_{number}",
        "get_figures": f"?month=2026-10&company=co_{number}",
    }
    address = path.format(**_places(doors, operation, whose)) + asked.get(operation, "")
    return Write(operation, None, "get", address, None)


# --- writes that are about a row in a way of their own ------------------------------------------------------------


def _offered(doors: Doors, whose: str) -> Write:
    """A hand-over to the row's company, by another one."""
    giver = next(other for other in WHOSE if other != whose)
    offer = doors.writes[giver].done("hand_over_cylinder", to_holder_id=f"co_{NUMBER[whose]}", basis=None)
    path = f"/v1/handovers/{(offer.body or {})['id']}/accept"
    return Write("accept_cylinder", None, "post", path, {"occurred_at": now()})


def _licence(doors: Doors, whose: str) -> Write:
    write = doors.writes[whose].new("record_licence")
    return write._replace(body={**(write.body or {}), "company_id": f"co_{NUMBER[whose]}", "scope": "filling"})


def _handover(doors: Doors, whose: str) -> Write:
    """To somebody who is in no row, so that nobody gives to himself."""
    write = doors.writes[whose].new("hand_over_cylinder")
    return write._replace(body={**(write.body or {}), "to_holder_id": "co_elsewhere"})


def _authority_key(doors: Doors, _whose: str) -> Write:
    """Of the own row's authority: an admin is of none."""
    return doors.writes["own"].new("state_authority_key")


def _token(_doors: Doors, _whose: str) -> Write:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(),
    }
    return Write("issue_token", None, "post", "/oauth/token", form)


def _other_session(_doors: Doors, _whose: str) -> Write:
    return Write("end_session", None, "delete", "/v1/sessions/ses_of_somebody_else", None)


def _own(operation: str) -> Callable[[Doors, str], Write]:
    """A request about oneself, which needs no session to be made."""

    def make(doors: Doors, _whose: str) -> Write:
        method, path = doors.paths[operation]
        body = {"old": "no such password", "new": f"a new one {uuid.uuid4().hex}"}
        return Write(operation, None, method, path, body if operation == "change_password" else None)

    return make


_SPECIAL: dict[str, Callable[[Doors, str], Write]] = {
    "accept_cylinder": _offered,
    "record_licence": _licence,
    "hand_over_cylinder": _handover,
    "state_authority_key": _authority_key,
    "issue_token": _token,
    "end_session": _other_session,
    **{name: _own(name) for name in ("sign_out", "end_all_sessions", "change_password")},
}


# --- the matrix -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with House(tmp_path_factory.mktemp("doors")) as house:
        yield Doors(house).open()


@pytest.fixture(scope="module")
def doors_on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Doors]:
    with fresh_database(postgres_server) as url, House(tmp_path_factory.mktemp("doors"), url) as house:
        yield Doors(house).open()


def told(status: int, code: str | None) -> str:
    """What an answer comes to in the words of the matrix."""
    return YES if 200 <= status < 300 else str(code)


def try_cells(doors: Doors, operation: str, whose: str, roles: list[str | None]) -> list[str]:
    """Call the operation about one row in each of these roles; how each answer differs from what is written."""
    cells: dict[str | None, str] = {None: "unauthenticated"}
    cells.update(EXPECTED[operation][whose].items())
    wrong = []
    refused, admitted = ([role for role in roles if (cells[role] == YES) is yes] for yes in (False, True))
    write = doors.request(operation, whose)
    before = doors.fingerprint()
    for role in refused:
        status, code = doors.answer(write, role)
        if told(status, code) != cells[role]:
            wrong.append(f"{operation}, {whose}, {role}: {cells[role]} is written, {status} {code} was answered")
    if refused and doors.fingerprint() != before:
        wrong.append(f"{operation}, {whose}: a refused call left something behind")
    for role in admitted:
        again = write if operation.startswith(("get", "list", "stream")) else doors.request(operation, whose)
        status, code = doors.answer(again, role)
        if told(status, code) != YES:
            wrong.append(f"{operation}, {whose}, {role}: yes is written, {status} {code} was answered")
    return wrong


def test_every_operation_of_the_document_stands_in_the_matrix_and_no_other(doors: Doors) -> None:
    assert set(EXPECTED) | PUBLIC == set(doors.paths)


@pytest.mark.parametrize("operation", sorted(EXPECTED))
def test_each_role_gets_what_is_written_about_own_foreign_and_far_data(doors: Doors, operation: str) -> None:
    assert [line for whose in WHOSE for line in try_cells(doors, operation, whose, [None, *ROLES])] == []


def test_the_same_holds_on_postgresql_for_every_role_that_is_named(doors_on_postgresql: Doors) -> None:
    wrong = []
    for operation, rows in sorted(EXPECTED.items()):
        for whose in WHOSE:
            named: list[str | None] = [role for role in ROLES if rows[whose][role] != "not_allowed"]
            wrong += try_cells(doors_on_postgresql, operation, whose, named[:3])
    assert wrong == []


@pytest.mark.parametrize("operation", sorted(PUBLIC))
@pytest.mark.parametrize("role", [None, "auditor"])
def test_what_everybody_may_call_asks_for_no_token(doors: Doors, operation: str, role: str | None) -> None:
    status, code = doors.answer(doors.request(operation, "own"), role)
    assert 200 <= status < 300, code


def test_the_ledger_is_sound_after_all_of_it(doors: Doors) -> None:
    assert doors.house.audit() == []
