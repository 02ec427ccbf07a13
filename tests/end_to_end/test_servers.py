"""The servers that tests run against are real, need nothing installed, and leave nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from servers.postgres import may_be_entered_by_nobody, running_postgres
from servers.redis import answers, running_redis

TESTS = Path(__file__).parents[1]


@pytest.fixture
def plain_url(postgres_url: str) -> str:
    return postgres_url.replace("+psycopg", "", 1)


def test_a_real_postgresql_keeps_what_was_written(plain_url: str) -> None:
    with psycopg.connect(plain_url) as connection:
        connection.execute("CREATE TABLE bottle (code text PRIMARY KEY)")
        connection.execute("INSERT INTO bottle VALUES ('瓶')")
    with psycopg.connect(plain_url) as connection:
        assert connection.execute("SELECT code FROM bottle").fetchall() == [("瓶",)]


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_gets_an_empty_database_of_its_own(plain_url: str, turn: int) -> None:
    with psycopg.connect(plain_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        connection.execute("CREATE TABLE mine (n int)")
    assert tables == (0,)


def test_a_real_redis_answers_and_is_empty(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("revoked", "cyl_1", px=60_000)
        assert client.get("revoked") == b"cyl_1"
        assert str(client.info("server")["redis_version"]) >= "6.2"


def test_a_redis_that_is_left_is_gone_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with running_redis() as url:
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    assert not answers(url)


@pytest.mark.slow
def test_postgresql_starts_from_a_private_temporary_folder_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(private))
    users_before = Path("/etc/passwd").read_bytes()
    modes_before = [parent.stat().st_mode for parent in (private, *private.parents)]
    with running_postgres() as url, psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        data = connection.execute("SHOW data_directory").fetchone()
    assert data is not None
    assert not Path(data[0]).parents[1].exists()
    assert list(private.iterdir()) == []
    assert [parent.stat().st_mode for parent in (private, *private.parents)] == modes_before
    assert Path("/etc/passwd").read_bytes() == users_before


def test_a_folder_below_a_private_one_cannot_be_entered_by_uid_65534(tmp_path: Path) -> None:
    inner = tmp_path / "private" / "open"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    assert not may_be_entered_by_nobody(inner)
    assert not may_be_entered_by_nobody(tmp_path / "absent")


@pytest.mark.slow
def test_a_killed_test_run_leaves_neither_server_nor_folder(tmp_path: Path) -> None:
    script = "from servers.redis import running_redis\nwith running_redis() as url: print(url, flush=True), input()"
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        run.kill()
    assert _goes_away(url, tmp_path)


def _goes_away(url: str, folder: Path) -> bool:
    for _ in range(200):
        if not list(folder.iterdir()):
            return not answers(url)
        time.sleep(0.05)
    return False
