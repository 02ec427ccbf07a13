"""Keeping data safe: one backup for both homes, taken while the service runs, put back into either, always audited."""

import hashlib
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import backup_crash
import httpx
import pytest
from api_house import Device, House, new_id, now
from api_process import COMMAND, answer, run
from witness_house import W1, RunningWitness, running_witness

from cylinder_api.folder import make_folder
from cylinder_codes.keys import SigningKey, VerifyingKey, format_signer
from cylinder_trace import cli
from cylinder_trace.cosignature import format_cosigner_key
from cylinder_trace.store.database import StoreError, open_engine, parse_url
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.snapshot import open_snapshot
from cylinder_trace.store.tables import EntryRow
from servers.postgres import fresh_database

BUYER = {"name": "演示", "id_number": "ID-1", "phone": "1", "address": "路1号"}
ORIGIN = "ledger.example/tests"
NewHome = Callable[[str, str], tuple[str, Path]]
Command = list[str | Path]


@pytest.fixture
def homes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewHome]:
    """Places for homes that are not made yet: URL of the database and data folder."""
    opened = []

    def new(kind: str, name: str) -> tuple[str, Path]:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{name}/ledger.db", tmp_path / name
        database = fresh_database(request.getfixturevalue("postgres_server"))
        opened.append(database)
        return database.__enter__(), tmp_path / name

    yield new
    for database in opened:
        database.__exit__(None, None, None)


def key_of(folder: Path) -> VerifyingKey:
    folder.mkdir(exist_ok=True)
    return make_folder(folder, ORIGIN).log.verifying_key


def ask(folder: Path, witness: RunningWitness) -> None:
    """Have the log in `folder` witnessed."""
    key_of(folder)
    policy = f"witness w1 {format_cosigner_key(W1.verifying_key)} {witness.url}\nquorum none\n"
    (folder / "witnesses.policy").write_text(policy)


def live(house: House, device: Device) -> None:
    """Something in every table of the service: cylinders, a sale, a device's journal, a one-time code."""
    sold, filled = house.new_bottle(), house.new_bottle()
    assert sell(house, sold.code).status_code == 201
    device.fill(filled, device.decide(filled).id)
    assert house.as_("station").post("/v1/stations/st_1/entries", json=device.upload()).status_code == 200
    settings = house.running.settings
    answer("enrol", "--station", "st_1", "--data", settings.data, "--database-url", settings.database_url)


def sell(house: House, code: str) -> httpx.Response:
    sale = {
        "id": new_id("sale"), "code": code, "order_no": new_id("order"), "point_id": "pt_1", "worker_id": "dw_1",
        "customer": BUYER, "safety_check_passed": True, "occurred_at": now(),
    }  # fmt: skip
    return house.as_("delivery").post("/v1/sales", json=sale)


def published(house: House) -> int:
    """Wait until everything is published and stands in the EPCIS repository; how much that is."""
    size = house.running.ledger.reader.size()
    assert house.running.ledger.publisher.wait_published(size, timeout_s=20)
    assert house.running.epcis.complete(within_s=20) == size
    return size


def is_cosigned(folder: Path, size: int) -> bool:
    """Whether the checkpoint of `size` is shown, with the witness's line below it."""
    shown = (folder / "log" / "checkpoint").read_text()
    return f"\n{size}\n" in shown and f"— {W1.name}" in shown


def soon(holds: Callable[[], Any], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def content(url: str, folder: Path) -> dict[str, Any]:
    """Every row of every table but the lists, which follow by themselves, and the files that are not the database's."""
    tables = [table for table in EntryRow.metadata.sorted_tables if table.name not in ("fleet", "figure", "followed")]
    with open_snapshot(url, folder) as snapshot:
        found: dict[str, Any] = {table.name: sorted(map(repr, snapshot.rows(table))) for table in tables}
    return found | files_of(folder)


def files_of(folder: Path) -> dict[str, Any]:
    """Bytes and rights of a data folder's files; tiles that are not full are left out: narrower ones may lie there."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "ledger.db")))
    paths = (path for path in paths if path.parent.suffix != ".p")
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in paths}


def count(url: str, query: str) -> int:
    """A number from the database; -1 while it cannot be asked."""
    engine = open_engine(parse_url(url), writer=False)
    try:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql(query).scalar() or 0)
    except Exception:  # noqa: BLE001 - the table, the file or the database is not there yet
        return -1
    finally:
        engine.dispose()


# --- from one home to the other and back --------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_home_goes_into_the_other_kind_and_back_with_every_row_and_file_as_it_was(
    first: str, second: str, homes: NewHome, device: Device, tmp_path: Path
) -> None:
    url, folder = homes(first, "first")
    with running_witness(tmp_path / "witness", [key_of(folder)]) as witness:
        ask(folder, witness)
        with House(folder, url) as house:
            live(house, device)
            size = published(house)
            soon(lambda: is_cosigned(folder, size))
            made = answer("backup", "--data", folder, "--database-url", url, "--to", tmp_path / "backup1")
    assert (made["ok"], made["entries"], made["signed"]) == (True, size, size)
    before = content(url, folder)
    assert all(before[name] for name in ("person", "account", "device_code", "journal", "cosignature", "checkpoint"))
    for number, kind in ((1, second), (2, first)):
        place, data = homes(kind, f"home{number}")
        backup = tmp_path / f"backup{number}"
        put_back = answer("restore", "--from", backup, "--data", data, "--database-url", place)
        assert (put_back["ok"], put_back["finished"], put_back["entries"]) == (True, True, size)
        assert content(place, data) == before
        answer("backup", "--data", data, "--database-url", place, "--to", tmp_path / f"backup{number + 1}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_is_of_one_moment_although_the_service_goes_on_recording(
    kind: str, homes: NewHome, tmp_path: Path
) -> None:
    url, folder = homes(kind, "busy")
    stop = threading.Event()
    with House(folder, url) as house:
        codes = [house.new_bottle().code for _ in range(60)]
        published(house)

        def trade() -> None:
            while not stop.is_set():
                for code in codes:
                    sell(house, code)

        trader = threading.Thread(target=trade)
        trader.start()
        try:
            soon(lambda: count(url, "SELECT count(*) FROM person") > 20)
            made = answer("backup", "--data", folder, "--database-url", url, "--to", tmp_path / "backup")
        finally:
            stop.set()
            trader.join()
    place, data = homes("sqlite", "restored")
    assert answer("restore", "--from", tmp_path / "backup", "--data", data)["entries"] == made["entries"]
    sold = count(place, "SELECT count(*) FROM entry WHERE type = 'sold'")
    assert 0 < sold == count(place, "SELECT count(*) FROM person") < count(url, "SELECT count(*) FROM person")


@pytest.mark.parametrize("origin", ["ledger.example/tests", "ledger.example/tests/sm3"])
def test_former_keys_and_the_second_key_go_with_a_backup(origin: str, homes: NewHome, tmp_path: Path) -> None:
    url, folder = homes("sqlite", "first")
    folder.mkdir()
    make_folder(folder, origin)
    with House(folder) as house:
        size = published(house)
    assert cli.main(["keygen", origin, "--ml-dsa", "--out", str(folder / "keys" / "log-ml-dsa.key")]) == 0
    rotate = ["rotate-key", "--key", str(folder / "keys" / "log.key"), "--log", str(folder / "log")]
    assert cli.main(rotate) == 0
    with House(folder) as house:
        house.new_bottle()
        assert published(house) == size + 2
    answer("backup", "--data", folder, "--to", tmp_path / "backup")
    place, data = homes("sqlite", "second")
    assert answer("restore", "--from", tmp_path / "backup", "--data", data)["ok"] is True
    assert content(place, data) == content(url, folder)
    assert len((data / "log" / "keys").read_text().splitlines()) == 3
    with House(data) as house:
        house.new_bottle()
        assert published(house) == size + 4


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_acknowledged_and_not_yet_published_is_in_the_backup_and_is_published_by_the_restored_service(
    kind: str, homes: NewHome, tmp_path: Path
) -> None:
    url, folder = homes(kind, "first")
    with House(folder, url) as house:
        signed = published(house)
        house.running.ledger.publisher.stop()
        bottle = house.new_bottle()
        made = answer("backup", "--data", folder, "--database-url", url, "--to", tmp_path / "backup")
    assert (made["entries"], made["signed"]) == (signed + 2, signed)
    place, data = homes(kind, "second")
    assert answer("restore", "--from", tmp_path / "backup", "--data", data, "--database-url", place)["size"] == signed
    with House(data, place) as house:
        assert house.running.ledger.reader.cylinder_id(bottle.code) == bottle.cylinder_id
        assert published(house) == signed + 2
        assert house.audit() == []


def test_a_backup_can_be_checked_with_sha256sum_and_its_log_by_the_audit(house_backup: Path, tmp_path: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = subprocess.run(command, cwd=house_backup, check=True, capture_output=True)
    assert checked.stdout.count(b": OK") > 10
    listed = {line.split("  ", 1)[1] for line in (house_backup / "SHA256SUMS").read_text().splitlines()}
    lying = {str(path.relative_to(house_backup)) for path in house_backup.rglob("*") if path.is_file()}
    hidden = {name for name in lying if any(part.startswith(".") for part in name.split("/"))}
    assert lying - hidden - listed == {"SHA256SUMS", "manifest.json"}
    assert cli.main(["audit", str(house_backup / "log"), "--json"]) == 0
    assert house_backup.stat().st_mode & 0o077 == 0


# --- an old backup ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_old_backup_that_is_put_back_raises_the_fork_alarm_by_what_witness_and_client_remember(
    kind: str, homes: NewHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, folder = homes(kind, "first")
    place, data = homes(kind, "second")
    kept = tmp_path / "kept.checkpoint"
    with running_witness(tmp_path / "witness", [key_of(folder)]) as witness:
        ask(folder, witness)
        with House(folder, url) as house:
            published(house)
            answer("backup", "--data", folder, "--database-url", url, "--to", tmp_path / "backup")
            for _ in range(3):
                house.new_bottle()
            size = published(house)
            soon(lambda: is_cosigned(folder, size))
            kept.write_text(house.as_(None).get("/log/checkpoint").text)

        refused = run("restore", "--from", tmp_path / "backup", "--data", data, "--database-url", place,
                      "--remembered", kept, "--json")  # fmt: skip
        told = json.loads(refused.out)
        assert (refused.code, told["finished"]) == (1, False)
        assert [fault["kind"] for fault in told["faults"]] == ["rolled_back"]
        with pytest.raises(StoreError, match=r"unfinished restore of .* run it again"):
            House(data, place).start()

        # without what somebody remembers nobody can know; the same command finishes what it began
        assert answer("restore", "--from", tmp_path / "backup", "--data", data, "--database-url", place)["ok"] is True
        with House(data, place) as house:
            soon(lambda: house.as_(None).get("/readyz").json()["alarm"])
            ready = house.as_(None).get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "alarm")
            assert "another history" in ready.json()["alarm"]
            assert audited(capsys, place, data, kept) == ["rolled_back"]
            for _ in range(4):  # it goes on recording, and has another history then
                house.new_bottle()
            assert published(house) > size
        assert audited(capsys, place, data, kept) == ["forked"]
        with House(data, place) as house:
            soon(lambda: {"409", "422"} == {json.loads(path.read_text())["status"] for path in alarms(house)})
            assert "(2 there)" in house.as_(None).get("/readyz").json()["alarm"]
        assert "WRONG  fork alarm" in run("doctor", "--data", data, "--database-url", place).out


def test_the_way_out_of_a_fork_alarm_is_the_newest_copy_that_holds_what_the_witness_has_seen(tmp_path: Path) -> None:
    """The steps of docs/operations.md, "When the fork alarm rings"."""
    first, old, mended = tmp_path / "first", tmp_path / "old", tmp_path / "mended"
    kept, backups = tmp_path / "kept.checkpoint", tmp_path / "backups"
    with running_witness(tmp_path / "witness", [key_of(first)]) as witness:
        ask(first, witness)
        with House(first) as house:
            published(house)
            answer("backup", "--data", first, "--to", backups / "old")
            bottle = house.new_bottle()
            size = published(house)
            soon(lambda: is_cosigned(first, size))
            kept.write_text(house.as_(None).get("/log/checkpoint").text)
            answer("backup", "--data", first, "--to", backups / "newest")
        answer("restore", "--from", backups / "old", "--data", old)
        with House(old) as house:
            soon(lambda: house.as_(None).get("/readyz").json()["alarm"])
        told = {finding["what"]: finding for finding in looked(old)}
        assert (told["fork alarm"]["level"], "When the fork alarm rings" in told["fork alarm"]["mend"]) == (
            "wrong",
            True,
        )

        for backup, ended in (("old", 1), ("newest", 0)):
            data = mended if ended == 0 else tmp_path / "tried"
            done = run("restore", "--from", backups / backup, "--data", data, "--remembered", kept, "--json")
            assert (done.code, json.loads(done.out)["finished"]) == (ended, ended == 0)
        with House(mended) as house:
            assert house.running.ledger.reader.cylinder_id(bottle.code) == bottle.cylinder_id
            house.new_bottle()
            grown = published(house)
            soon(lambda: is_cosigned(mended, grown))
            assert house.as_(None).get("/readyz").json()["status"] == "ok"
        told = {finding["what"]: finding for finding in looked(mended)}
        assert told["fork alarm"]["level"] == told[f"witness {W1.name}"]["level"] == "good"


def looked(data: Path) -> list[dict[str, Any]]:
    """What the doctor says."""
    findings: list[dict[str, Any]] = json.loads(run("doctor", "--data", data, "--json").out)["findings"]
    return findings


def alarms(house: House) -> list[Path]:
    return house.running.ledger.publisher.alarms()


def audited(capsys: pytest.CaptureFixture[str], url: str, folder: Path, kept: Path) -> list[str]:
    """The kinds of fault that `cylinder-trace audit` finds with a remembered checkpoint."""
    capsys.readouterr()
    place = str(folder) if url.startswith("sqlite") else url
    arguments = ["audit", place, "--vkey", str(folder / "log" / "keys"), "--remembered", str(kept), "--json"]
    assert cli.main(arguments) == 1
    return [fault["kind"] for fault in json.loads(capsys.readouterr().out)["faults"]]


def test_what_a_station_recorded_since_an_old_backup_comes_back_with_its_journal(
    device: Device, tmp_path: Path
) -> None:
    with House(tmp_path / "first") as house:
        live(house, device)
        published(house)
        answer("backup", "--data", tmp_path / "first", "--to", tmp_path / "backup")
        lost = device.decide(house.new_bottle())
        assert upload(house, device, first=2)["problem"] is None
    answer("restore", "--from", tmp_path / "backup", "--data", tmp_path / "second")
    with House(tmp_path / "second") as house:
        device.decide(house.new_bottle())
        taken = upload(house, device, first=3)
        assert (taken["answers"], taken["next_seq"]) == ([], 2)  # it says from where on it is missing
        taken = upload(house, device, first=2)
        assert [told["id"] for told in taken["answers"]] == [record.id for record in device.records[2:]]
        assert lost.id in {told["id"] for told in taken["answers"]}
        assert house.audit() == []


def upload(house: House, device: Device, first: int) -> dict[str, Any]:
    """Send the device's records from `first` on; what the service answers."""
    body = device.upload(device.records[first:])
    taken: dict[str, Any] = house.as_("station").post("/v1/stations/st_1/entries", json=body).json()
    return taken


def test_a_database_that_was_set_back_beside_its_newer_log_folder_is_found_when_it_is_backed_up(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "first"
    with House(folder) as house:
        published(house)
    older = (folder / "ledger.db").read_bytes()
    with House(folder) as house:
        house.new_bottle()
    for path in folder.glob("ledger.db*"):
        path.unlink()
    (folder / "ledger.db").write_bytes(older)
    done = run("backup", "--data", folder, "--to", tmp_path / "backup", "--json")
    assert (done.code, json.loads(done.out)["faults"][0]["kind"]) == (1, "rolled_back")


# --- kills and full disks -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a generated town: some thousands of entries, so that a command takes a while."""
    folder = tmp_path_factory.mktemp("town") / "data"
    answer("seed", "--data", folder, "--cylinders", "200", "--as-of", "2026-11-22")
    return folder


@pytest.fixture(scope="module")
def town_backup(town: Path) -> Path:
    answer("backup", "--data", town, "--to", town.parent / "backup")
    return town.parent / "backup"


@pytest.mark.parametrize("point", backup_crash.BACKUP)
def test_a_backup_that_was_killed_is_no_backup_and_the_same_command_makes_one(
    point: str, furnished: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    backup_crash.killed_backup(point, f"sqlite:///{furnished}/ledger.db", furnished, target)
    said = run("restore", "--from", target, "--data", tmp_path / "new").sentence
    assert "unfinished backup" in said
    assert not (tmp_path / "new").exists()
    assert answer("backup", "--data", furnished, "--to", target)["ok"] is True
    assert answer("restore", "--from", target, "--data", tmp_path / "new")["ok"] is True


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restore_that_was_killed_is_no_home_until_the_same_command_has_finished_it(
    kind: str, homes: NewHome, town: Path, town_backup: Path, tmp_path: Path
) -> None:
    before = content(f"sqlite:///{town}/ledger.db", town)
    for number, point in enumerate(backup_crash.RESTORE):
        url, data = homes(kind, f"new{number}")
        backup_crash.killed_restore(point, town_backup, url, data)
        with pytest.raises(StoreError, match="unfinished restore"):
            Ledger(url, data, make_folder(town).log, now)
        shutil.copytree(town / "keys", data / "keys", dirs_exist_ok=True)  # as somebody might put them there by hand
        again = run("backup", "--data", data, "--database-url", url, "--to", tmp_path / f"again{number}")
        assert "unfinished restore" in again.sentence, point
        put_back = answer("restore", "--from", town_backup, "--data", data, "--database-url", url)
        assert (put_back["ok"], put_back["finished"]) == (True, True), point
        assert content(url, data) == before, point


def test_a_full_disk_ends_a_backup_with_one_sentence_and_with_room_the_same_command_makes_it(
    town: Path, tmp_path: Path
) -> None:
    before = content(f"sqlite:///{town}/ledger.db", town)
    command: Command = ["backup", "--data", town, "--to", tmp_path / "backup"]
    assert "make room" in without_room(command, 90_000)
    assert "unfinished backup" in run("restore", "--from", tmp_path / "backup", "--data", tmp_path / "new").sentence
    assert content(f"sqlite:///{town}/ledger.db", town) == before
    assert answer(*command)["ok"] is True


def test_a_full_disk_ends_a_restore_with_one_sentence_and_with_room_the_same_command_finishes_it(
    town: Path, town_backup: Path, tmp_path: Path
) -> None:
    before = tree_of(town_backup)
    command: Command = ["restore", "--from", town_backup, "--data", tmp_path / "new"]
    assert "run the same command again" in without_room(command, 400_000)
    assert tree_of(town_backup) == before
    with pytest.raises(StoreError, match="unfinished restore"):
        Ledger(f"sqlite:///{tmp_path}/new/ledger.db", tmp_path / "new", make_folder(town).log, now)
    assert answer(*command)["ok"] is True


def without_room(command: Command, limit: int) -> str:
    """The command where no file may become larger than `limit` bytes: what it says before it ends with 2."""
    done = subprocess.run(
        [*COMMAND, *map(str, command)], check=False, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = done.stderr.strip().splitlines()
    return line


def tree_of(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


# --- what is wrong with a backup, a place or a key ----------------------------------------------------------


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with something in every table."""
    folder = tmp_path_factory.mktemp("furnished") / "data"
    with House(folder) as house:
        live(house, Device())
    return folder


@pytest.fixture
def house_backup(furnished: Path, tmp_path: Path) -> Path:
    answer("backup", "--data", furnished, "--to", tmp_path / "backup")
    return tmp_path / "backup"


PARTS = [
    "manifest.json", "SHA256SUMS", "log/checkpoint", "log/tile/entries/000.p/*", "tables/account.jsonl",
    "tables/checkpoint.jsonl", "tables/person.jsonl", "files/keys/master.key",
]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_or_missing_part_is_named_and_nothing_is_put_back(
    part: str, house_backup: Path, tmp_path: Path
) -> None:
    (path,) = house_backup.glob(part)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + bytes(1) + whole[-2:])
    for code in (1, 2 if part == "manifest.json" else 1):
        done = run("restore", "--from", house_backup, "--data", tmp_path / "new")
        assert done.code == code
        assert str(path.relative_to(house_backup)) in done.out + done.err
        assert not (tmp_path / "new").exists()
        path.unlink(missing_ok=True)


def test_whoever_changes_an_entry_in_a_backup_and_all_its_sums_is_found_by_the_signed_root(
    house_backup: Path, tmp_path: Path
) -> None:
    (bundle,) = house_backup.glob("log/tile/entries/000.p/*")
    bundle.write_bytes(bundle.read_bytes().replace(b'"serial":"A', b'"serial":"B', 1))
    sum_up_again(house_backup, bundle)
    done = run("restore", "--from", house_backup, "--data", tmp_path / "new")
    assert done.code == 1
    assert re.search("signed root|does not follow", done.out)
    with pytest.raises(StoreError, match="unfinished restore"):
        House(tmp_path / "new").start()


def sum_up_again(backup: Path, changed: Path) -> None:
    """SHA256SUMS and manifest, so that they fit what was changed."""
    sums, manifest, name = backup / "SHA256SUMS", backup / "manifest.json", str(changed.relative_to(backup))
    digest = hashlib.sha256(changed.read_bytes()).hexdigest()
    line = re.compile(f"^[0-9a-f]+  {re.escape(name)}$", re.MULTILINE)
    sums.write_text(line.sub(f"{digest}  {name}", sums.read_text()))
    told = {**json.loads(manifest.read_text()), "sums_sha256": hashlib.sha256(sums.read_bytes()).hexdigest()}
    manifest.write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda rows: rows.replace(b'{"', b'{"colour":"red","', 1), 2, "has colour, which this program does not know"),
        (lambda rows: rows[rows.index(b"\n") + 1 :], 1, "rows of account, and"),
        (lambda rows: b"[]\n" + rows, 1, "line 1 of account.jsonl is not a row"),
    ],
    ids=["a newer program's column", "a row too few", "no row"],
)
def test_rows_that_do_not_fit_are_named_and_the_home_stays_unfinished(
    change: Callable[[bytes], bytes], code: int, said: str, house_backup: Path, tmp_path: Path
) -> None:
    rows = house_backup / "tables" / "account.jsonl"
    rows.write_bytes(change(rows.read_bytes()))
    sum_up_again(house_backup, rows)
    done = run("restore", "--from", house_backup, "--data", tmp_path / "new")
    assert (done.code, said in done.out + done.err) == (code, True), done
    with pytest.raises(StoreError, match="unfinished restore"):
        House(tmp_path / "new").start()
    looked = run("doctor", "--data", tmp_path / "new")
    assert (looked.code, "unfinished restore" in looked.out) == (1, True)


def test_sums_that_point_out_of_the_backup_are_refused(house_backup: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    with (house_backup / "SHA256SUMS").open("a") as sums:
        sums.write(f"{hashlib.sha256(b'x').hexdigest()}  files/../../secret\n")
    sum_up_again(house_backup, house_backup / "log" / "keys")
    done = run("restore", "--from", house_backup, "--data", tmp_path / "new")
    assert (done.code, "lies elsewhere" in done.out) == (1, True)


def test_a_key_that_is_not_the_logs_makes_no_backup(furnished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(furnished, copy)
    for name, said in ((ORIGIN, "not signed by the key"), ("other.example/log", "wrong folder or key")):
        (copy / "keys" / "log.key").write_text(format_signer(SigningKey(name, bytes(range(1, 33)))))
        shutil.rmtree(tmp_path / "backup", ignore_errors=True)
        assert said in run("backup", "--data", copy, "--to", tmp_path / "backup").sentence
        assert "unfinished" in run("restore", "--from", tmp_path / "backup", "--data", tmp_path / "new").sentence


def test_a_backup_with_another_key_in_it_is_not_put_back(house_backup: Path, tmp_path: Path) -> None:
    key = house_backup / "files" / "keys" / "log.key"
    key.write_text(format_signer(SigningKey(ORIGIN, bytes(range(1, 33)))))
    sum_up_again(house_backup, key)
    assert "not signed by the key" in run("restore", "--from", house_backup, "--data", tmp_path / "new").sentence
    assert not (tmp_path / "new").exists()


def test_a_place_that_is_not_empty_or_lies_in_the_way_is_refused_and_stays_as_it_is(
    furnished: Path, house_backup: Path, tmp_path: Path, postgres_url: str
) -> None:
    before = tree_of(furnished)
    (tmp_path / "file").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").touch()
    for target, said in (
        (furnished / "backup", "lies inside"), (furnished, "lies inside"), (tmp_path / "file", "not a folder"),
        (house_backup, "not empty"), (tmp_path / "photos", "not empty"), (tmp_path, "not empty"),
    ):  # fmt: skip
        assert said in run("backup", "--data", furnished, "--to", target).sentence
    for data, said in (
        (furnished, "not empty"), (tmp_path / "photos", "not empty"), (house_backup / "new", "lies inside"),
        (house_backup, "lies inside"), (tmp_path / "file", "not a folder"),
    ):  # fmt: skip
        assert said in run("restore", "--from", house_backup, "--data", data).sentence
    url = ("--database-url", postgres_url)
    assert "not empty" in run("restore", "--from", house_backup, "--data", tmp_path / "photos", *url).sentence
    assert answer("restore", "--from", house_backup, "--data", tmp_path / "pg", *url)["ok"] is True
    assert "has rows" in run("restore", "--from", house_backup, "--data", tmp_path / "pg2", *url).sentence
    assert "not a backup" in run("restore", "--from", tmp_path / "photos", "--data", tmp_path / "new").sentence
    assert "not a backup" in run("restore", "--from", tmp_path / "nowhere", "--data", tmp_path / "new").sentence
    assert tree_of(furnished) == before
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["1.jpg"]


def test_a_home_that_was_begun_from_one_backup_is_not_finished_from_another(
    furnished: Path, house_backup: Path, town_backup: Path, tmp_path: Path
) -> None:
    (bundle,) = house_backup.glob("log/tile/entries/000.p/*")
    whole = bundle.read_bytes()
    bundle.write_bytes(whole.replace(b'"serial":"A', b'"serial":"B', 1))
    sum_up_again(house_backup, bundle)
    assert run("restore", "--from", house_backup, "--data", tmp_path / "new").code == 1
    assert "finish that" in run("restore", "--from", town_backup, "--data", tmp_path / "new").sentence


def test_a_restore_that_was_cut_off_does_not_go_on_into_a_folder_that_holds_something_else(
    furnished: Path, house_backup: Path, postgres_url: str, tmp_path: Path
) -> None:
    url = ("--database-url", postgres_url)
    backup_crash.killed_restore("all rows", house_backup, postgres_url, tmp_path / "new")
    before = tree_of(furnished)
    assert "not empty" in run("restore", "--from", house_backup, "--data", furnished, *url).sentence
    assert tree_of(furnished) == before
    assert answer("restore", "--from", house_backup, "--data", tmp_path / "new", *url)["ok"] is True


def test_a_ledger_whose_entries_were_tampered_with_makes_no_backup(furnished: Path, tmp_path: Path) -> None:
    shutil.copytree(furnished, tmp_path / "copy")
    change(tmp_path / "copy", "entry", "UPDATE entry SET text = replace(text, 'tests', 'texts') WHERE log_index = 6")
    done = run("backup", "--data", tmp_path / "copy", "--to", tmp_path / "backup")
    assert done.code == 1
    assert "NOT sound: entry 6 " in done.out
    assert "unfinished" in run("restore", "--from", tmp_path / "backup", "--data", tmp_path / "new").sentence


def test_an_entry_that_was_changed_before_a_checkpoint_covered_it_makes_no_backup(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with House(folder) as house:
        size = published(house)
        house.running.ledger.publisher.stop()
        house.new_bottle()
        change(folder, "entry", f"UPDATE entry SET text = replace(text, 'tests', 'texts') WHERE log_index = {size}")
        done = run("backup", "--data", folder, "--to", tmp_path / "backup")
    assert done.code == 1
    assert f"entry {size} is not what was recorded" in done.out


def test_a_fault_beside_the_log_is_told_at_backup_and_restore_and_does_not_lock_the_owner_out(
    furnished: Path, tmp_path: Path
) -> None:
    shutil.copytree(furnished, tmp_path / "copy")
    change(tmp_path / "copy", "journal", "UPDATE journal SET hash = 'x' WHERE seq = 0")
    made = run("backup", "--data", tmp_path / "copy", "--to", tmp_path / "backup", "--json")
    assert (made.code, json.loads(made.out)["ok"]) == (1, False)
    done = run("restore", "--from", tmp_path / "backup", "--data", tmp_path / "new", "--json")
    told = json.loads(done.out)
    assert (done.code, told["ok"], told["finished"]) == (1, False, True)
    assert told["faults"] == json.loads(made.out)["faults"]
    with House(tmp_path / "new") as house:
        assert house.as_(None).get("/readyz").status_code == 200


def change(folder: Path, table: str, statement: str) -> None:
    """What the database's owner can do: he drops the trigger first."""
    with sqlite3.connect(folder / "ledger.db") as database:
        database.execute(f"DROP TRIGGER {table}_no_update")
        assert database.execute(statement).rowcount == 1
    database.close()


def test_a_damaged_database_makes_no_backup_and_is_one_sentence(furnished: Path, tmp_path: Path) -> None:
    shutil.copytree(furnished, tmp_path / "copy")
    os.truncate(tmp_path / "copy" / "ledger.db", 40_960)
    assert "cannot be read" in run("backup", "--data", tmp_path / "copy", "--to", tmp_path / "backup").sentence
