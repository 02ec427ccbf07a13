"""A device that told two records for one place of its chain: both branches are kept and disputed, it is cut off."""

import signal
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_house import Bottle, Device, House, new_id
from api_process import Served
from sqlalchemy import text

from cylinder_api.acts.common import SERVICE
from cylinder_api.acts.enrolment import trust_device
from cylinder_api.folder import open_folder
from cylinder_codes.keys import SigningKey
from cylinder_trace.audit import Fault
from cylinder_trace.store.database import open_engine, parse_url
from cylinder_trace.store.sound import audit_home
from ledgers.attacks import by_hand
from servers.keyed import keyed_client


def enrolled(house: House) -> Device:
    """Another device of st_1, its token its own id."""
    name = new_id("dev")
    device = Device(SigningKey(name, bytes(range(1, 33))), name)
    house.running.ledger.transact(lambda unit: trust_device(unit, name, "st_1", device.key.verifying_key, name))
    return device


def upload(house: House, device: Device, records: int) -> httpx.Response:
    """Send the newest of the device's records."""
    client = house.as_(None, device.device_id)
    return client.post("/v1/stations/st_1/entries", json=device.upload(device.records[-records:]))


def clone_of(device: Device, since: int) -> Device:
    """The device as its disk was after so many records."""
    clone = Device(device.key, device.device_id)
    clone.records = device.records[:since]
    return clone


def forked(house: House) -> tuple[Device, Device, Bottle, dict[str, Any]]:
    """A device whose third record was told twice; the clone, the bottle that it filled, the answer that it got."""
    device, bottle = enrolled(house), house.new_bottle()
    for _ in range(4):
        device.decide(house.new_bottle())
    assert upload(house, device, 4).json()["problem"] is None
    clone = clone_of(device, since=2)
    clone.fill(bottle, clone.decide(bottle).id)
    answer = upload(house, clone, 3)
    assert answer.status_code == 200, answer.text
    return device, clone, bottle, answer.json()


def full_audit(house: House) -> list[Fault]:
    """What an audit of the home finds, journals too."""
    url = str(house.running.settings.database_url)
    house.running.ledger.publisher.publish()
    return audit_home(url, house.folder, [house.running.keys.log.verifying_key]).faults


def rows_of(house: House, table: str, device: Device) -> list[tuple[int, bytes]]:
    engine = open_engine(parse_url(str(house.running.settings.database_url)), writer=False)
    query = text(f"SELECT seq, text FROM {table} WHERE device_id = :id ORDER BY seq")
    try:
        with engine.connect() as connection:
            return [(row.seq, bytes(row.text)) for row in connection.execute(query, {"id": device.device_id})]
    finally:
        engine.dispose()


def test_both_branches_are_kept_and_the_answer_names_where_they_part(house: House) -> None:
    device, clone, bottle, told = forked(house)
    assert [(answer["seq"], answer["status"]) for answer in told["answers"]] == [
        (1, "known"), (2, "stored"), (3, "stored"),
    ]  # fmt: skip
    assert (told["problem"]["seq"], told["problem"]["code"], told["next_seq"]) == (2, "journal_forked", 4)
    assert [seq for seq, _text in rows_of(house, "journal", device)] == [0, 1, 2, 3]
    second = rows_of(house, "journal_branch", device)
    assert [seq for seq, _text in second] == [2, 3]
    assert [kept.decode() for _seq, kept in second] == clone.upload()["records"][2:]
    assert [entry.type for entry in house.entries_of(bottle.subject)][-2:] == ["fill_decided", "filled"]


def test_a_record_of_each_branch_is_disputed_where_they_part(house: House) -> None:
    device, clone, _bottle, _told = forked(house)
    about = {
        entry.data["about_id"]
        for entry in house.entries_of("station/st_1")
        if entry.type == "dispute_raised" and entry.data["kind"] == "journal_forked"
    }
    assert {device.records[2].id, clone.records[2].id} <= about


def test_the_device_is_cut_off_with_the_fork_and_neither_branch_goes_on(house: House) -> None:
    device, clone, _bottle, _told = forked(house)
    assert [entry.type for entry in house.entries_of(f"device/{device.device_id}")][-3:] == [
        "journal_forked", "head_signed", "device_revoked",
    ]  # fmt: skip
    for either in (device, clone):
        either.decide(house.new_bottle())
        size = house.running.ledger.reader.size()
        assert upload(house, either, 1).json()["code"] == "device_cut_off"
        assert house.stated_since(size, "st_1", device.device_id, SERVICE) == []


def test_a_fork_sent_again_changes_nothing(house: House) -> None:
    _device, clone, _bottle, _told = forked(house)
    size = house.running.ledger.reader.size()
    assert upload(house, clone, 3).json()["code"] == "device_cut_off"
    assert house.stated_since(size, "st_1", clone.device_id, SERVICE) == []


def test_a_branch_whose_beginning_is_not_here_is_kept_from_where_it_is(house: House) -> None:
    device = enrolled(house)
    for _ in range(3):
        device.decide(house.new_bottle())
    upload(house, device, 3)
    clone = clone_of(device, since=1)
    for _ in range(3):
        clone.decide(house.new_bottle())
    told = upload(house, clone, 1).json()
    assert (told["answers"][0]["status"], told["problem"]["code"]) == ("stored", "journal_forked")
    assert [seq for seq, _text in rows_of(house, "journal_branch", device)] == [3]
    assert full_audit(house) == []


def test_what_the_signed_head_does_not_cover_cuts_nobody_off(house: House) -> None:
    device = enrolled(house)
    for _ in range(2):
        device.decide(house.new_bottle())
    upload(house, device, 2)
    clone = clone_of(device, since=1)
    for _ in range(2):
        clone.decide(house.new_bottle())
    texts = clone.upload(clone.records[-2:])["records"]
    changed = clone.upload_texts([texts[0], texts[1].replace('"lane":1', '"lane":2')], clone.records[-1])
    told = house.as_(None, device.device_id).post("/v1/stations/st_1/entries", json=changed).json()
    assert (told["answers"], told["problem"]["code"]) == ([], "chain_broken")
    device.decide(house.new_bottle())
    assert upload(house, device, 1).json()["answers"][0]["status"] == "stored"


def test_an_act_told_in_both_branches_under_one_id_is_kept_as_a_dispute(house: House) -> None:
    device, bottle = enrolled(house), house.new_bottle()
    permit = device.decide(bottle).id
    device.fill(bottle, permit, net_g=14_000)
    upload(house, device, 2)
    clone = clone_of(device, since=1)
    clone.fill(bottle, permit, net_g=14_400)
    assert upload(house, clone, 1).json()["answers"][0]["status"] == "disputed"
    assert [entry.type for entry in house.entries_of(bottle.subject)].count("filled") == 1
    assert [seq for seq, _text in rows_of(house, "journal_branch", device)] == [1]


def test_the_audit_follows_a_declared_branch_under_its_own_head(house: House) -> None:
    forked(house)
    assert full_audit(house) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal_branch SET text = replace(text, '\"lane\":1', '\"lane\":3') WHERE seq = 2",
        "DELETE FROM journal_branch WHERE seq = 3",
        "UPDATE journal_branch SET seq = 9 WHERE seq = 3",
        "UPDATE journal_branch SET status = 'linked', id = 'x' WHERE seq = 2",
        "INSERT INTO journal_branch SELECT 'dev_1', seq, hash, id, status, log_index, text FROM journal_branch",
        "INSERT INTO journal_branch SELECT device_id, 4, hash, id, status, log_index, text FROM journal_branch LIMIT 1",
    ],
)
def test_a_changed_or_undeclared_second_branch_is_found(tmp_path: Path, change: str) -> None:
    with House(tmp_path) as house:
        forked(house)
        assert full_audit(house) == []
    with by_hand(tmp_path) as database:
        database.execute(change)
    keys = [open_folder(tmp_path).log.verifying_key]
    assert audit_home(f"sqlite:///{tmp_path}/ledger.db", tmp_path, keys).faults


def test_killed_while_a_fork_comes_in_it_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        devices, bottle = [enrolled(house) for _ in range(4)], house.new_bottle()
        clones = []
        for device in devices:
            device.decide(bottle)
            upload(house, device, 1)
            clones.append(clone_of(device, since=0))
            for _ in range(100):
                clones[-1].decide(bottle)
    service = Served("--data", tmp_path)

    def send(clone: Device) -> str | None:
        """Upload the branch; the answer's problem, None where the service was gone before it."""
        with keyed_client(service.url, {"Authorization": f"Bearer {clone.device_id}"}) as client:
            try:
                answer = client.post("/v1/stations/st_1/entries", json=clone.upload())
                return str(answer.json()["problem"]["code"])
            except httpx.HTTPError:
                return None

    with ThreadPoolExecutor(len(clones)) as pool:
        sent = [pool.submit(send, clone) for clone in clones]
        wait(sent, timeout=60, return_when=FIRST_COMPLETED)  # however many have their answer by then
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        told = {clone.device_id: future.result() for clone, future in zip(clones, sent, strict=True)}
    assert set(told.values()) <= {"journal_forked", None}
    answered = [device_id for device_id, problem in told.items() if problem]
    assert answered, service.log
    with House(tmp_path) as house:
        for device, clone in zip(devices, clones, strict=True):
            words = [entry.type for entry in house.entries_of(f"device/{device.device_id}")]
            kept = len(rows_of(house, "journal_branch", device))
            assert (kept, words.count("journal_forked"), words.count("device_revoked")) in ((100, 1, 1), (0, 0, 0))
            assert kept or device.device_id not in answered
            assert upload(house, clone, 100).status_code == (403 if kept else 200)
        assert full_audit(house) == []
