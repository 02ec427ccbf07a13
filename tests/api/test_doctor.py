"""`cylinder-api doctor`: each thing that a deployment gets wrong is named, with where it is and what to do next."""

import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from api_house import House
from api_process import run
from sqlalchemy import create_engine, insert, make_url, text
from sqlmodel import SQLModel

from cylinder_api.diagnosis import machine, outside
from cylinder_api.diagnosis.finding import Finding
from cylinder_codes.keys import SigningKey, format_signer
from cylinder_trace.cosignature import ED25519_COSIGNATURE, Cosigner, format_cosigner_key
from cylinder_trace.identity import Identity
from cylinder_trace.store.database import open_engine, parse_url
from cylinder_trace.store.tables import SCHEMA_VERSION, EpcisCaptureRow, EpcisSubscriptionRow, PersonRow, WebhookRow
from cylinder_trace.store.vault import Vault

Findings = dict[str, dict[str, Any]]
OF_THIS_MACHINE = {"disk space", "inodes", "disk", "open files"}
"""What they say depends on where the tests run."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("doctor") / "data"
    with House(folder) as house:
        house.new_bottle()
        assert house.running.ledger.publisher.wait_published(house.running.ledger.reader.size(), timeout_s=60)
    return folder


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is."""
    monkeypatch.setattr(outside, "_PATIENCE_S", 60.0)


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    shutil.copytree(sound, tmp_path / "data")
    return tmp_path / "data"


def looked(data: Path, *arguments: str | Path) -> Findings:
    """What the doctor says, by what was looked at."""
    done = run("doctor", "--data", data, "--json", *arguments)
    said = json.loads(done.out)
    assert (done.code == 0) is said["ok"], done
    for finding in said["findings"]:
        assert (finding["mend"] == "") is (finding["level"] == "good"), finding
        assert finding["ok"] is (finding["level"] != "wrong")
    return {finding["what"]: finding for finding in said["findings"]}


def level_of(found: Findings) -> dict[str, str]:
    """What is not good, whatever machine this is."""
    levels = {what: finding["level"] for what, finding in found.items() if what not in OF_THIS_MACHINE}
    return {what: level for what, level in levels.items() if level != "good"}


def run_sql(data: Path, *statements: str) -> None:
    engine = open_engine(parse_url(f"sqlite:///{data}/ledger.db"), writer=True)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_a_sound_installation_has_nothing_wrong_and_what_could_be_better_is_told(data: Path) -> None:
    found = looked(data)
    assert level_of(found) == {
        "public address": "look",
        "metrics token": "look",
        "witnesses": "look",
        "lists": "look",
    } or (level_of(found) == {"public address": "look", "metrics token": "look", "witnesses": "look"})
    assert set(found) >= OF_THIS_MACHINE


def another_log(data: Path) -> None:
    (data / "keys" / "log.key").write_text(f"{format_signer(SigningKey('ledger.example/other', bytes(32)))}\n")


def published_ahead(data: Path) -> None:
    anew = "CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'no'); END"
    run_sql(data, "DROP TRIGGER checkpoint_no_delete", "DELETE FROM checkpoint", anew)


def not_published(data: Path) -> None:
    published_ahead(data)
    (data / "log" / "checkpoint").unlink()
    run_sql(data, "DROP TRIGGER entry_no_update", "UPDATE entry SET recorded_at = recorded_at - 86400000")


def published_behind(data: Path) -> None:
    (data / "log" / "checkpoint").unlink()


def fork_alarm(data: Path) -> None:
    (data / "alarms").mkdir()
    (data / "alarms" / "2026-11-22-witness.json").write_text("{}")


def silent_witness(data: Path) -> None:
    vkey = format_cosigner_key(Cosigner("witness.example/w1", ED25519_COSIGNATURE, bytes(32)).verifying_key)
    (data / "witnesses.policy").write_text(f"witness w1 {vkey} http://127.0.0.1:1\nquorum none\n")


SPOILT: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "a key that others may read": (
        lambda data: (data / "keys" / "tag.key").chmod(0o644), "rights of tag.key", "0644", "chmod 600"
    ),
    "keys in a folder that others may enter": (
        lambda data: (data / "keys").chmod(0o755), "rights of keys", "0755", "chmod 700"
    ),
    "the key of another log": (another_log, "schema", "ledger.example/other", "belong together"),
    "an older schema": (
        lambda data: run_sql(data, "UPDATE meta SET value = '8' WHERE key = 'schema'"),
        "schema", f"8, this program works with {SCHEMA_VERSION}", "cylinder-api migrate",
    ),
    "a newer schema": (
        lambda data: run_sql(data, "UPDATE meta SET value = '99' WHERE key IN ('schema', 'beside')"),
        "schema", "made by a newer version", "install the newer version",
    ),
    "an unfinished restore": (
        lambda data: run_sql(data, "INSERT INTO meta (key, value) VALUES ('unfinished', 'restore of backup x')"),
        "database", "unfinished restore of backup x", "goes on from where it was cut off",
    ),
    "no ledger": (lambda data: (data / "ledger.db").unlink(), "database", "there is no", "migrate"),
    "a trigger that is gone": (
        lambda data: run_sql(data, "DROP TRIGGER entry_no_update"), "append-only", "entry_no_update", "audit"
    ),
    "no rulebook": (
        lambda data: run_sql(data, "DELETE FROM subject_now WHERE subject LIKE 'rulebook/%'"),
        "rulebook", "no rulebook cn-default", "every check is refused",
    ),
    "tiles that are gone": (
        lambda data: shutil.rmtree(data / "log" / "tile"), "checkpoint", "", "compare with a backup"
    ),
    "a database that was set back": (published_ahead, "published file", "knows one of 0", "do not start the service"),
    "nobody publishes": (not_published, "publishing", "entries wait", "is the service running"),
    "a fork alarm": (fork_alarm, "fork alarm", "2026-11-22-witness.json", "When the fork alarm rings"),
    "a witness that never answered": (silent_witness, "witness witness.example/w1", "never cosigned", "does it answer"),
    "a policy that cannot be read": (
        lambda data: (data / "witnesses.policy").write_text("nonsense"), "witnesses", "witnesses.policy", "not start"
    ),
}  # fmt: skip


def test_tables_that_a_newer_version_has_moved_and_beside_which_this_one_may_serve_are_told(data: Path) -> None:
    run_sql(data, "UPDATE meta SET value = '99' WHERE key = 'schema'")
    found = looked(data)
    assert (found["schema"]["level"], "end the upgrade" in found["schema"]["mend"]) == ("look", True)
    assert found["publishing"]["level"] == "good"


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_wrong_is_named_with_what_to_do(data: Path, name: str) -> None:
    spoil, what, found, mend = SPOILT[name]
    spoil(data)
    finding = looked(data)[what]
    assert finding["level"] == "wrong", finding
    assert found in finding["found"], finding
    assert mend in finding["mend"], finding


def test_a_witness_that_cosigned_is_good_and_one_that_has_long_been_silent_is_told(data: Path) -> None:
    silent_witness(data)
    key = Cosigner("witness.example/w1", ED25519_COSIGNATURE, bytes(32)).verifying_key
    newest = "(SELECT max(size) FROM checkpoint)"
    run_sql(data, f"INSERT INTO cosignature SELECT {newest}, 'witness.example/w1+{key.key_id.hex()}', 'line'")
    assert looked(data)["witness witness.example/w1"]["level"] == "good"
    run_sql(data, "DROP TRIGGER checkpoint_no_update", "UPDATE checkpoint SET published_at = published_at - 86400000")
    assert "1440 min ago" in looked(data)["witness witness.example/w1"]["found"]


def test_a_master_key_that_does_not_open_the_vault_and_one_that_others_read_are_told(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = Vault(bytes(32)).seal(
        "cu_1", Identity(name="generated", id_number="X", phone="1", address="A"), company_id="co_1"
    )
    engine = open_engine(parse_url(f"sqlite:///{data}/ledger.db"), writer=True)
    with engine.begin() as connection:
        connection.execute(insert(PersonRow), [row.model_dump()])
    engine.dispose()
    assert "does not open" in looked(data)["master key"]["found"]
    (data / "keys" / "master.key").unlink()
    outside_key = tmp_path / "master"
    outside_key.write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
    outside_key.chmod(0o640)
    monkeypatch.setenv("MASTER_KEY_FILE", str(outside_key))
    found = looked(data)
    assert found["master key"]["level"] == "good"
    assert str(outside_key) in found["rights of master"]["mend"]


def test_lists_that_stand_still_are_told(data: Path) -> None:
    run_sql(data, "UPDATE followed SET value = '0' WHERE name = 'epcis'")
    run_sql(data, "UPDATE followed SET value = json_set(value, '$.size', 1) WHERE name = 'place'",
            "DROP TRIGGER entry_no_update", "UPDATE entry SET recorded_at = recorded_at - 86400000")  # fmt: skip
    found = looked(data)
    assert (found["lists"]["level"], "rebuild-lists" in found["lists"]["mend"]) == ("look", True)
    assert found["EPCIS repository"]["level"] == "look"


def row_of(table: type[SQLModel], **values: Any) -> dict[str, Any]:
    """A row with these values; where a column must have one, a generated one."""
    columns = table.__table__.columns  # type: ignore[attr-defined]
    fill = {
        column.name: 0 if column.type.python_type is int else "generated" for column in columns if not column.nullable
    }
    return {**fill, **values}


def test_receivers_that_take_nothing_and_captures_that_do_not_end_are_told(data: Path) -> None:
    engine, now = open_engine(parse_url(f"sqlite:///{data}/ledger.db"), writer=True), time.time_ns() // 1_000_000
    hour = 3_700_000
    rows: list[tuple[type[SQLModel], list[dict[str, Any]]]] = [
        (WebhookRow, [
            row_of(WebhookRow, webhook_id="wh_good"), row_of(WebhookRow, webhook_id="wh_new", failing_since=now),
            row_of(WebhookRow, webhook_id="wh_ill", failing_since=now - hour),
            row_of(WebhookRow, webhook_id="wh_off", off_at=1),
            row_of(WebhookRow, webhook_id="wh_gone", off_at=1, deleted_at=2),
        ]),
        (EpcisSubscriptionRow, [
            row_of(EpcisSubscriptionRow, id="s_good", taken_at=now),
            row_of(EpcisSubscriptionRow, id="s_ill", failures=3),
            row_of(EpcisSubscriptionRow, id="s_gone", failures=3, ended_at=now),
        ]),
        (EpcisCaptureRow, [
            row_of(EpcisCaptureRow, id="c_done", finished_at=now), row_of(EpcisCaptureRow, id="c_new", created_at=now),
            row_of(EpcisCaptureRow, id="c_old", created_at=now - hour),
        ]),
    ]  # fmt: skip
    for table, values in rows:
        with engine.begin() as connection:
            for value in values:
                connection.execute(insert(table), [value])
    engine.dispose()
    found = looked(data)
    assert "2 of 4 get nothing: wh_ill of generated, wh_off" in found["webhooks"]["found"]
    assert "1 of 2 get nothing: s_ill" in found["EPCIS subscriptions"]["found"]
    assert (found["EPCIS captures"]["level"], "c_old" in found["EPCIS captures"]["found"]) == ("wrong", True)
    assert "c_new" not in found["EPCIS captures"]["found"]


@pytest.mark.parametrize("token", ["short", None])
def test_a_token_for_the_numbers_that_can_be_guessed_is_wrong(token: str | None) -> None:
    assert outside.metrics_token(token).level == ("look" if token is None else "wrong")
    assert outside.metrics_token("a" * 64).level == "good"


# --- the machine ---------------------------------------------------------------------------------------------


class Disk:
    """What `os.statvfs` says of a disk."""

    f_frsize, f_blocks, f_files = 4096, 1_000_000, 1_000_000

    def __init__(self, blocks: int = 900_000, files: int = 900_000, of: int = 1_000_000) -> None:
        self.f_bavail, self.f_favail, self.f_files = blocks, files, of


def test_a_disk_without_room_or_inodes_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for disk, room, inodes in (
        (Disk(), "good", "good"), (Disk(blocks=40_000), "wrong", "good"), (Disk(files=10), "good", "wrong"),
        (Disk(of=0), "good", "good"),
    ):  # fmt: skip
        monkeypatch.setattr(os, "statvfs", lambda _folder, disk=disk: disk)
        assert (machine.room(tmp_path).level, machine.inodes(tmp_path).level) == (room, inodes)


def test_a_file_system_that_is_gone_with_the_machine_is_known_by_its_longest_mount_point(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("dev / ext4 rw 0 0\nnone /run tmpfs rw 0 0\nnone /running/x xfs rw 0 0\n")
    kinds = {path: machine.file_system_of(Path(path), mounts) for path in ("/srv/data", "/run/data", "/running/x/y")}
    assert kinds == {"/srv/data": "ext4", "/run/data": "tmpfs", "/running/x/y": "xfs"}
    assert machine.file_system_of(tmp_path, tmp_path / "none") == "unknown file system"


def test_a_disk_that_answers_before_anything_can_be_kept_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def levels(kind: str, seconds: float) -> str:
        monkeypatch.setattr(machine, "file_system_of", lambda *_: kind)
        monkeypatch.setattr(machine, "_seconds_to_keep", lambda _: seconds)
        return machine.disk(tmp_path).level

    assert [levels("ext4", 0.002), levels("ext4", 0.000_002), levels("tmpfs", 0.002)] == ["good", "look", "look"]


def test_a_folder_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    finding = machine.disk(tmp_path / "gone")
    assert (finding.level, "ReadWritePaths" in finding.mend) == ("wrong", True)


def test_too_few_open_files_are_told_with_the_line_for_the_unit() -> None:
    assert machine.open_files(10_000, 1024).level == "look"
    assert "LimitNOFILE=10200" in machine.open_files(10_000, 1024).mend
    assert machine.open_files(10_000, 65_536).level == machine.open_files(10_000, -1).level == "good"


def test_a_clock_that_is_apart_is_wrong() -> None:
    now = time.time_ns() // 1_000_000
    assert outside.clock("clock", now, now).level == "good"
    assert outside.clock("clock", now - 60_000, now - 30_000).level == "good"  # the answer was long on its way
    assert "ahead of" in outside.clock("clock", now, now + 600_000).found
    assert "behind" in outside.clock("clock", now, now - 60_000).found


# --- outside -------------------------------------------------------------------------------------------------


def test_redis_that_answers_and_one_that_does_not(redis_url: str) -> None:
    assert [(finding.what, finding.level) for finding in outside.redis(redis_url)] == [
        ("Redis", "good"), ("clock of Redis", "good")
    ]  # fmt: skip
    (gone,) = outside.redis("redis://127.0.0.1:1/0")
    assert (gone.level, gone.found) == ("wrong", "ConnectionError")
    (wrong_url,) = outside.redis("http://127.0.0.1")
    assert wrong_url.level == "wrong"


def test_redis_that_is_not_fit_is_told() -> None:
    info = {"role": "master", "redis_version": "7.2", "used_memory": 2**20, "maxmemory": 0}
    full = {**info, "used_memory": 99, "maxmemory": 100, "maxmemory_policy": "noeviction"}
    told: list[Finding] = [
        outside.redis_fits(info, "127.0.0.1", False), outside.redis_fits(info, "10.0.0.7", True),
        outside.redis_fits(info, "10.0.0.7", False), outside.redis_fits({**info, "role": "slave"}, None, True),
        outside.redis_fits(full, None, True),
    ]  # fmt: skip
    assert [finding.level for finding in told] == ["good", "good", "look", "wrong", "wrong"]


class _Answering(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def https(tmp_path: Path) -> Iterator[Callable[[int], tuple[str, Path]]]:
    """Starts an HTTPS server with a certificate of its own for so many days; its address, and the certificate."""
    servers: list[HTTPServer] = []

    def start(days: int) -> tuple[str, Path]:
        key, certificate = tmp_path / f"{days}.key", tmp_path / f"{days}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", key, "-out", certificate, "-days", str(days), "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True,
        )  # fmt: skip
        server = HTTPServer(("localhost", 0), _Answering)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"https://localhost:{server.server_port}", certificate

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_public_address_is_asked_for_its_certificate(
    https: Callable[[int], tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, certificate = https(100)
    assert outside.public_url(url).level == "wrong"
    assert "self-signed" in outside.public_url(url).found
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert outside.public_url(url).level == "good"
    url, certificate = https(3)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert "ends in 2 days" in outside.public_url(url).found
    assert outside.public_url("http://ledger.example").level == "wrong"
    assert outside.public_url("https://127.0.0.1:1").level == "look"


# --- PostgreSQL ----------------------------------------------------------------------------------------------


def test_on_postgresql_the_server_its_settings_and_the_rights_of_the_role_are_looked_at(
    postgres_url: str, role_url: str, tmp_path: Path
) -> None:
    data, role = tmp_path / "data", make_url(role_url).username or ""
    assert run("migrate", "--data", data, "--database-url", postgres_url, "--service-role", role).code == 0
    engine = create_engine(postgres_url)

    def told(*statements: str) -> Findings:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        return looked(data, "--database-url", role_url)

    found = told()
    for what in ("database role", "rights of the role", "append-only", "PostgreSQL", "locale", "clock of the database"):
        assert found[what]["level"] == "good", found[what]
    # the tests' server forgets on purpose what a power cut would take
    assert "fsync=off" in found["durability"]["found"]
    assert "webhook: INSERT" in told(f"REVOKE INSERT ON webhook FROM {role}")["rights of the role"]["found"]
    assert "journal_append_only" in told("DROP TRIGGER journal_append_only ON journal")["append-only"]["found"]
    assert looked(data, "--database-url", postgres_url)["database role"]["level"] == "wrong"
    gone = looked(data, "--database-url", "postgresql://nobody@127.0.0.1:1/none")["database"]
    assert (gone["level"], "start the database" in gone["mend"]) == ("wrong", True)
    engine.dispose()
