"""On PostgreSQL the service runs as a role that can append and nothing else; the server itself refuses the rest."""

import json
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from cylinder_trace.epcis.context import EPCIS_CONTEXT
from cylinder_trace.epcis.document import read_event
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.epcis.capturing import Captures, Sender
from cylinder_trace.store.epcis.following import EpcisFollower
from cylinder_trace.store.fleet.follower import Follower
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.rights import SERVICE_RIGHTS, excess_of, grant_service, missing_guards
from cylinder_trace.store.tables import APPEND_ONLY, AccountRow
from cylinder_trace.store.unit import Unit
from ledgers.homes import KEY, START, Home, bound, registered, returned, withdrawn
from ledgers.schema_v1 import rows_of, set_back
from servers.postgres import fresh_database


def _put(unit: Unit, row: AccountRow) -> None:
    unit.put(row)


@pytest.fixture
def owner(postgres_url: str, tmp_path: Path) -> Home:
    """The home as the tables' owner sees it."""
    home = Home(postgres_url, tmp_path)
    with home.open() as ledger:
        ledger.append([registered(1)])
    return home


@pytest.fixture
def role(owner: Home) -> Iterator[str]:
    """A role that may log in and has no rights yet."""
    name = f"service_{secrets.token_hex(4)}"
    engine = create_engine(owner.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'generated'"))
        yield name
        connection.execute(text(f"DROP OWNED BY {name}"))
        connection.execute(text(f"DROP ROLE {name}"))
    engine.dispose()


@pytest.fixture
def service(owner: Home, role: str) -> Home:
    """The same home as the service's role sees it."""
    grant_service(owner.url, role)
    url = make_url(owner.url).set(username=role, password="generated")
    return Home(url.render_as_string(hide_password=False), owner.folder, owner.clock)


@pytest.fixture
def ledger(service: Home) -> Iterator[Ledger]:
    with service.open() as opened:
        yield opened


def test_the_rights_name_every_table(owner: Home) -> None:
    engine = create_engine(owner.url)
    tables = {name for name in inspect(engine).get_table_names() if not name.startswith("entry_part_")}
    engine.dispose()
    assert set(SERVICE_RIGHTS) == tables
    assert set(SERVICE_RIGHTS) >= set(SQLModel.metadata.tables)


def test_the_service_keeps_the_epcis_repository_as_its_role_and_changes_no_event(ledger: Ledger) -> None:
    follower = EpcisFollower(ledger.engine, ledger.reader, lambda: START)
    assert follower.complete(30) == ledger.reader.size()
    captures = Captures(ledger, lambda: START)
    event = {"@context": EPCIS_CONTEXT, "type": "ObjectEvent", "eventTime": "2026-04-01T10:10:00Z", "action": "OBSERVE",
             "eventTimeZoneOffset": "+08:00", "epcList": ["urn:example:1"]}  # fmt: skip
    data = json.dumps(event).encode()
    captures.take_now("cap_1", Sender("co_1", "account_1"), data, read_event(data))
    assert captures.job("cap_1", "co_1") is not None
    assert [entry.type for entry in ledger.reader.history("capture/cap_1")] == ["epcis_captured"]
    for statement in ("UPDATE epcis_event SET text = ''", "DELETE FROM epcis_event", "DELETE FROM epcis_capture"):
        with pytest.raises(DBAPIError, match="permission denied"), ledger.engine.begin() as connection:
            connection.execute(text(statement))


def test_the_service_appends_publishes_and_answers_as_its_role(ledger: Ledger) -> None:
    ledger.append([registered(2), bound(1), bound(2)])
    ledger.append([returned(1, "r1"), withdrawn(2)])
    ledger.append([registered(number) for number in range(10, 60)])
    assert ledger.publisher.wait_published(56, timeout_s=60)
    assert [row.n for row in ledger.reader.history("cylinder/cyl_1")] == [0, 1, 2]
    assert ledger.reader.cylinder_id("CODE2") is None
    assert ledger.append([bound(1)])[0].replayed
    assert ledger.reader.bundle("cylinder/cyl_1").subject == "cylinder/cyl_1"


def test_the_service_keeps_its_own_rows_as_its_role(ledger: Ledger) -> None:
    account = AccountRow(token_sha256="a", account_id="li", role="auditor", org_id="au_1")
    for row in (account, account.model_copy(update={"revoked_at": 7})):
        ledger.transact(partial(_put, row=row))
    with ledger.engine.connect() as connection:
        assert connection.scalar(text("SELECT revoked_at FROM account")) == 7


_CHANGES = [
    *(f"UPDATE {table} SET {column} = {column}" for table, column in
      zip(APPEND_ONLY, ("text", "ref", "note", "line", "text", "text"), strict=True)),
    *(f"DELETE FROM {table}" for table in APPEND_ONLY),
    *(f"TRUNCATE {table}" for table in APPEND_ONLY),
    "ALTER TABLE entry ADD COLUMN more text",
    "ALTER TABLE entry DISABLE TRIGGER ALL",
    "DROP TRIGGER entry_append_only ON entry",
    "DROP TABLE entry",
    "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "SET session_replication_role = replica",
    "UPDATE meta SET value = '1'",
    "DELETE FROM subject_now",
    "CREATE TABLE other (x int)",
]  # fmt: skip


def test_the_service_follows_its_log_and_makes_its_lists_anew_as_its_role(ledger: Ledger) -> None:
    ledger.append([registered(2), bound(2)])
    follower = Follower(ledger.engine, ledger.reader, "cn-default")
    assert (follower.catch_up(), follower.count()) == (3, 2)
    assert (follower.rebuild(), follower.count()) == (3, 2)


def test_the_server_refuses_the_service_s_role_whatever_changes_entries_or_their_guards(ledger: Ledger) -> None:
    refused = r"permission denied|must be owner"
    for statement in _CHANGES:
        with pytest.raises(DBAPIError, match=refused), ledger.engine.begin() as connection:
            connection.execute(text(statement))


def test_the_owner_s_and_a_superuser_s_power_is_told_and_the_service_s_role_has_none(
    owner: Home, ledger: Ledger
) -> None:
    assert excess_of(ledger.engine) is None
    with owner.open() as as_owner:
        assert "superuser" in str(excess_of(as_owner.engine))


def test_rights_are_given_to_a_role_that_is_there_and_has_no_power_of_its_own(owner: Home) -> None:
    with pytest.raises(StoreError, match="CREATE ROLE nobody_here"):
        grant_service(owner.url, "nobody_here")
    user = str(make_url(owner.url).username)
    with pytest.raises(StoreError, match="needs another one"):
        grant_service(owner.url, user)
    with pytest.raises(StoreError, match="PostgreSQL's"):
        grant_service("sqlite:////tmp/x.db", "nobody_here")


def test_rights_that_were_given_before_are_taken_away_again(owner: Home, role: str, service: Home) -> None:
    engine = create_engine(owner.url)
    with engine.begin() as connection:
        connection.execute(text(f"GRANT ALL ON entry TO {role}"))
    with service.open() as ledger:
        assert "rights to change entries" in str(excess_of(ledger.engine))
    grant_service(owner.url, role)
    with service.open() as ledger:
        assert excess_of(ledger.engine) is None
    engine.dispose()


def test_a_service_whose_role_may_not_migrate_says_who_must(
    owner: Home, role: str, postgres_server: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_server) as url:
        old = set_back(owner, url, tmp_path)
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
        before = rows_of(old)
        as_service = make_url(url).set(username=role, password="generated").render_as_string(hide_password=False)
        with pytest.raises(StoreError, match="run cylinder-api migrate as the tables' owner"):
            Ledger(as_service, tmp_path / "x", KEY, owner.clock)
        assert rows_of(old) == before
        engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_trigger_that_is_gone_or_switched_off_is_named(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    changes = {
        "sqlite": {"DROP TRIGGER journal_no_delete": "journal: journal_no_delete"},
        "postgresql": {
            "DROP TRIGGER journal_append_only ON journal": "journal: journal_append_only",
            "ALTER TABLE entry_part_03 DISABLE TRIGGER entry_append_only": "entry_part_03: entry_append_only",
            "DROP TRIGGER entry_part_04_no_truncate ON entry_part_04": "entry_part_04: entry_part_04_no_truncate",
        },
    }[kind]
    with Home(url, tmp_path).open() as ledger:
        assert missing_guards(ledger.engine) == []
        with ledger.engine.begin() as connection:
            for change in changes:
                connection.execute(text(change))
        assert missing_guards(ledger.engine) == sorted(changes.values())
