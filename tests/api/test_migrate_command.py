"""``cylinder-api migrate``: it says from where to where, tries without writing, and moves what is older."""

import json
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_process import Served, answer, run
from sqlalchemy import create_engine, make_url, text

from cylinder_api.folder import make_folder
from cylinder_codes.note import split_note
from cylinder_trace.cosignature import ML_DSA_44, Cosigner, format_cosigner
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import SCHEMA_VERSION
from ledgers.homes import Home, registered
from ledgers.schema_v1 import rows_of, set_back


def an_old_folder(tmp_path: Path) -> Path:
    """A data folder whose database an older program made."""
    today, old = tmp_path / "today", tmp_path / "old"
    home = Home(f"sqlite:///{today}/ledger.db", today)
    with Ledger(home.url, today, make_folder(today).log, home.clock) as ledger:
        ledger.append([registered(1)])
    (old / "log").parent.mkdir()
    (today / "keys").rename(old / "keys")
    (today / "log").rename(old / "log")
    set_back(home, f"sqlite:///{old}/ledger.db", old)
    return old


def test_a_try_says_what_a_new_ledger_would_be_and_makes_nothing(tmp_path: Path) -> None:
    said = answer("migrate", "--dry-run", "--data", tmp_path / "new")
    assert (said["schema"]["from"], said["schema"]["to"]) == (None, SCHEMA_VERSION)
    assert said["schema"]["steps"][0]["version"] == "1"
    assert list(tmp_path.iterdir()) == []


def test_an_older_ledger_is_tried_then_moved_then_up_to_date(tmp_path: Path) -> None:
    folder = an_old_folder(tmp_path)
    home = Home(f"sqlite:///{folder}/ledger.db", folder)
    before = rows_of(home)
    tried = answer("migrate", "--dry-run", "--data", folder)
    assert (tried["dry_run"], tried["schema"]["from"], tried["schema"]["to"]) == (True, "1", SCHEMA_VERSION)
    assert rows_of(home) == before
    assert f"schema 1 → {SCHEMA_VERSION}" in run("migrate", "--data", folder).out
    assert rows_of(home)["entry"] == before["entry"]
    moved = answer("migrate", "--data", folder)
    assert moved["schema"] == {"from": SCHEMA_VERSION, "to": SCHEMA_VERSION, "steps": []}
    assert moved["entries"] == 1
    assert "up to date" in run("migrate", "--dry-run", "--data", folder).out


def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    url = "postgresql://li:hidden@127.0.0.1:1/none"
    said = run("migrate", "--dry-run", "--data", tmp_path / "new", "--database-url", url).sentence
    assert "cannot use the database" in said
    assert "hidden" not in said


def test_what_a_command_publishes_bears_the_second_signature_too(tmp_path: Path) -> None:
    second = Cosigner(make_folder(tmp_path / "data").log.name, ML_DSA_44, bytes(32))
    (tmp_path / "data" / "keys" / "log-ml-dsa.key").write_text(f"{format_cosigner(second)}\n")
    answer("migrate", "--data", tmp_path / "data")
    _, lines = split_note((tmp_path / "data" / "log" / "checkpoint").read_text())
    assert len(lines) == 2


@pytest.fixture
def service_role(postgres_url: str) -> Iterator[str]:
    """A role that may log in and has no rights yet."""
    name = f"service_{secrets.token_hex(4)}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'generated'"))
        yield name
        connection.execute(text(f"DROP OWNED BY {name}"))
        connection.execute(text(f"DROP ROLE {name}"))
    engine.dispose()


def role_finding(data: Path, url: str) -> dict[str, Any]:
    """What doctor says about the role of this URL."""
    findings = json.loads(run("doctor", "--json", "--data", data, "--database-url", url).out)["findings"]
    found: dict[str, Any] = next(finding for finding in findings if finding["what"] == "database role")
    return found


def test_the_service_runs_as_the_role_that_migrate_gave_rights_to_and_the_owner_s_power_is_told(
    postgres_url: str, service_role: str, tmp_path: Path
) -> None:
    owner, data = ("--data", tmp_path / "data", "--database-url", postgres_url), tmp_path / "data"
    assert "CREATE ROLE not_there" in run("migrate", *owner, "--service-role", "not_there").sentence
    assert answer("migrate", *owner, "--service-role", service_role)["service_role"] == service_role
    url = make_url(postgres_url).set(username=service_role, password="generated").render_as_string(hide_password=False)

    assert "superuser" in role_finding(data, postgres_url)["found"]
    assert role_finding(data, url)["ok"] is True
    for database, warned in ((url, False), (postgres_url, True)):
        service = Served("--data", data, "--database-url", database)
        assert httpx.get(f"{service.url}/readyz").status_code == 200
        assert service.stop(signal.SIGINT) == 0
        assert ("can switch off what keeps entries from being changed" in service.log) is warned
