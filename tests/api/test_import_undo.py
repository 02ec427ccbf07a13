"""An import can be taken back: facts stand, codes are free again, and what has lived since is left alone."""

import json
import signal
import sqlite3
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from api_house import Device, House, check_body, new_id, now
from api_process import COMMAND, answer, run
from test_imports_route import HEADERS, new_code, table

from cylinder_api.folder import open_folder
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import make_code
from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.store.sound import audit_home

CAUSE = {"cause": "列错位 the columns had shifted"}


def data_of(rows: list[str], headers: str = HEADERS) -> bytes:
    return "\n".join([headers, *rows]).encode()


def send(house: House, data: bytes, role: str = "company") -> dict[str, Any]:
    reply = house.as_(role).post("/v1/imports", files={"file": ("t.csv", data, "text/csv")})
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json()
    return said


def undo(house: House, import_id: str, role: str = "company") -> dict[str, Any]:
    reply = house.as_(role).post(f"/v1/imports/{import_id}/undo", json=CAUSE)
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json()
    return said


def counts(said: dict[str, Any]) -> tuple[int, int, int]:
    return said["withdrawn"], said["withdrawn_before"], len(said["kept"])


def texts(house: House) -> list[bytes]:
    return [row.text for row in house.running.ledger.reader.all_entries()]


def code_of(row: str) -> str:
    return row.partition(",")[0]


def state_of(house: House, code: str) -> CylinderState:
    cylinder_id = house.running.ledger.reader.cylinder_id(code)
    state = house.running.ledger.reader.state(f"cylinder/{cylinder_id}")
    assert isinstance(state, CylinderState)
    return state


# --- twice --------------------------------------------------------------------------------------------------


def test_the_same_file_twice_appends_no_entry_and_is_answered_the_same_each_time(house: House) -> None:
    data = data_of(table(house, 4))
    assert send(house, data)["registered"] == 4
    before = texts(house)
    files = {"file": ("t.csv", data, "text/csv")}
    answers = {house.as_("company").post("/v1/imports", files=files).content for _ in range(3)}
    assert len(answers) == 1
    assert json.loads(answers.pop())["known"] == 4
    assert texts(house) == before


def test_two_companies_that_send_the_same_file_do_two_imports(house: House) -> None:
    rows = [row.replace(",R-", ",甲-") for row in table(house, 1)]
    first = send(house, data_of(rows))
    reply = house.as_(None, "token-of-company-2").post("/v1/imports", files={"file": ("t.csv", data_of(rows))}).json()
    assert reply["import_id"] != first["import_id"]
    assert (reply["registered"], reply["known"]) == (0, 0)
    assert {error["column"] for error in reply["errors"]} == {"code", "stamp"}


# --- undoing ------------------------------------------------------------------------------------------------


def test_an_import_is_undone_and_the_corrected_file_imported(house: House) -> None:
    rows = table(house, 3)
    first = send(house, data_of([row.replace(",16.5,", ",15.6,") for row in rows]))
    size = len(texts(house))
    before = texts(house)
    assert counts(undo(house, first["import_id"])) == (3, 0, 0)
    assert texts(house)[:size] == before
    again = send(house, data_of(rows))
    assert (again["registered"], again["errors"]) == (3, [])
    for row in rows:
        assert state_of(house, code_of(row)).stamp.tare_g == 16_500
    assert house.audit() == []


def test_undoing_twice_changes_nothing(house: House) -> None:
    said = send(house, data_of(table(house, 3)))
    assert counts(undo(house, said["import_id"])) == (3, 0, 0)
    before = texts(house)
    assert counts(undo(house, said["import_id"])) == (0, 3, 0)
    assert texts(house) == before


def test_a_withdrawal_names_the_import_the_company_the_cause_and_who_did_it(house: House) -> None:
    rows = table(house, 1)
    said = send(house, data_of(rows))
    subject = f"cylinder/{state_of(house, code_of(rows[0])).cylinder_id}"
    undo(house, said["import_id"])
    last = house.entries_of(subject)[-1]
    assert last.event() == events.RegistrationWithdrawn(
        import_id=said["import_id"], company_id="co_1", cause=CAUSE["cause"]
    )
    assert (last.by, last.act_id) == ("company_1", f"undo.{said['import_id']}")


def test_a_withdrawn_cylinder_is_not_filled_and_its_code_leads_nowhere(house: House) -> None:
    rows = table(house, 1)
    said = send(house, data_of(rows))
    state = state_of(house, code_of(rows[0]))
    undo(house, said["import_id"])
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(code_of(rows[0]))).json()["decision"]
    assert (decision["outcome"], [reason["code"] for reason in decision["reasons"]]) == ("DENY", ["R02"])
    company = house.as_("company")
    assert company.get(f"/v1/cylinders/{code_of(rows[0])}").json()["code"] == "cylinder_unknown"
    assert company.get(f"/v1/cylinders/{state.cylinder_id}").json()["status"] == "withdrawn"


def test_acts_of_people_cannot_follow_on_a_withdrawal(house: House) -> None:
    rows = table(house, 1)
    said = send(house, data_of(rows))
    cylinder_id = state_of(house, code_of(rows[0])).cylinder_id
    undo(house, said["import_id"])
    body = {"id": new_id("flag"), "code": cylinder_id, "flag": "lost", "cause": "gone", "occurred_at": now()}
    reply = house.as_("regulator").post("/v1/flags", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "cannot_follow")


def lived(house: House, row: str, what: str) -> None:
    code = code_of(row)
    subject = f"cylinder/{state_of(house, code).cylinder_id}"
    happened: dict[str, events.Event] = {
        "inspected": events.Inspected(
            body_id="ib_1", inspected_month="2026-01", next_due_month="2030-01", result="passed", report_no="R"
        ),
        "flagged": events.Flagged(flag="lost", authority_id="au_1", cause="gone"),
        "ownership_transferred": events.OwnershipTransferred(from_owner_id="co_1", to_owner_id="co_2", cosigned=True),
        "code_bound": events.CodeBound(code=f"tid:{now()}", scheme="tid"),
        "returned": events.Returned(station_id="st_1"),
    }
    if what == "fill_decided":
        decided = house.as_("station").post("/v1/fill-checks", json=check_body(code)).json()
        assert decided["decision"]["outcome"] == "ALLOW"
    else:
        house.append(subject, happened[what])


@pytest.mark.parametrize(
    "what", ["fill_decided", "inspected", "flagged", "ownership_transferred", "code_bound", "returned"]
)
def test_a_cylinder_that_has_lived_since_is_kept_and_listed_with_what_happened(house: House, what: str) -> None:
    rows = table(house, 2)
    said = send(house, data_of(rows))
    lived(house, rows[1], what)
    undone = undo(house, said["import_id"])
    assert counts(undone) == (1, 0, 1)
    kept = undone["kept"][0]
    assert (kept["row"], kept["because"]) == (3, what)
    assert state_of(house, code_of(rows[1])).cylinder_id == kept["cylinder_id"]
    assert counts(undo(house, said["import_id"])) == (0, 1, 1)


def test_a_refused_scan_is_no_life(house: House) -> None:
    rows = [row.replace(",2021-03,", ",1990-03,") for row in table(house, 1)]
    said = send(house, data_of(rows))
    checked = house.as_("station").post("/v1/fill-checks", json=check_body(code_of(rows[0]))).json()
    assert checked["decision"]["outcome"] == "DENY"
    assert counts(undo(house, said["import_id"])) == (1, 0, 0)


def test_the_very_same_file_can_be_imported_again_after_it_was_undone_and_undone_again(house: House) -> None:
    data = data_of(table(house, 2))
    first = send(house, data)
    undo(house, first["import_id"])
    second = send(house, data)
    assert (second["registered"], second["errors"]) == (2, [])
    assert second["import_id"] != first["import_id"]
    assert send(house, data)["known"] == 2
    assert counts(undo(house, second["import_id"])) == (2, 0, 0)
    assert house.audit() == []


def test_a_row_that_an_earlier_import_had_registered_stays_when_a_later_one_is_undone(house: House) -> None:
    rows = table(house, 2)
    send(house, data_of(rows[:1]))
    later = send(house, data_of(rows))
    assert (later["registered"], later["known"]) == (1, 1)
    assert counts(undo(house, later["import_id"])) == (1, 0, 0)
    assert state_of(house, code_of(rows[0])).status == "empty"


# --- whose ---------------------------------------------------------------------------------------------------


def test_imports_are_listed_to_their_company_and_to_the_admin(house: House) -> None:
    said = send(house, data_of(table(house, 3)))
    undo(house, said["import_id"])
    for role in ("company", "admin"):
        item = house.as_(role).get("/v1/imports").json()["items"][-1]
        assert (item["import_id"], item["company_id"]) == (said["import_id"], "co_1")
        assert (item["cylinders"], item["withdrawn"]) == (3, 3)
    assert house.as_(None, "token-of-company-2").get("/v1/imports").json()["items"] == []


def test_another_companys_import_cannot_be_undone_and_the_admin_may(house: House) -> None:
    said = send(house, data_of(table(house, 1)))
    other = house.as_(None, "token-of-company-2").post(f"/v1/imports/{said['import_id']}/undo", json=CAUSE)
    assert (other.status_code, other.json()["code"]) == (404, "import_unknown")
    unknown = house.as_("admin").post("/v1/imports/nonsense/undo", json=CAUSE)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "import_unknown")
    assert counts(undo(house, said["import_id"], "admin")) == (1, 0, 0)


# --- names of a cylinder --------------------------------------------------------------------------------------


def test_every_number_of_a_row_leads_to_its_cylinder(house: House) -> None:
    mark = str(now())
    data = data_of(
        [f"{table(house, 1)[0]},ZJ{mark},E2{mark},HZ/{mark}"], f"{HEADERS},省级气瓶编号,RFID TID,制造单位编码"
    )
    row = data.decode().splitlines()[1].split(",")
    assert send(house, data)["registered"] == 1
    state = state_of(house, row[0])
    names = (f"province:ZJ{mark}", f"tid:E2{mark}", f"maker:HZ/{mark}", f"stamp:示例厂|2021-03|{row[1]}")
    assert state.codes == (row[0], *names)
    assert {state_of(house, name).cylinder_id for name in names} == {state.cylinder_id}
    company = house.as_("company")
    for name in (names[0], names[1], names[2].replace("/", "%2F")):
        assert company.get(f"/v1/cylinders/{name}").json()["cylinder_id"] == state.cylinder_id
    anybody = house.as_(None)
    for name in (row[0], names[0], names[2].replace("/", "%2F"), quote(names[3])):
        assert "/about/c/" in anybody.get(f"/c/{name}").headers["location"]
    page = anybody.get(f"/about/c/{row[0]}").text
    assert row[0][:4] in page
    assert not [name for name in names if name.partition(":")[2] in page], "numbers from before can be counted through"


def test_one_stamp_under_two_codes_is_refused_whoever_sends_it(house: House) -> None:
    row = table(house, 1)[0]
    send(house, data_of([row]))
    said = send(house, data_of([row.replace(code_of(row), new_code(house, 999)).replace("示例厂", "另一厂")]))
    assert said["registered"] == 1, "another maker may use the same serial"
    said = send(house, data_of([row.replace(code_of(row), new_code(house, 998))]))
    assert (said["registered"], said["known"]) == (0, 0)
    assert "on file already, without this code" in said["errors"][0]["message"]


def test_a_code_that_was_scrapped_with_its_cylinder_is_dead_for_every_later_import(house: House) -> None:
    row = table(house, 1)[0]
    send(house, data_of([row]))
    subject = f"cylinder/{state_of(house, code_of(row)).cylinder_id}"
    house.append(subject, events.Destroyed(body_id="ib_1", method="cut", evidence_sha256=()))
    for changed in (row, row.replace("示例厂", "另一厂"), row.replace(code_of(row), new_code(house, 997))):
        said = send(house, data_of([changed]))
        assert (said["registered"], said["known"]) == (0, 0)
        assert "dead for ever" in said["errors"][0]["message"]
    assert send(house, data_of([row]))["errors"][0]["message_zh"].startswith("此码已注销或随瓶报废")


def test_a_cancelled_code_is_dead_for_every_later_import(house: House) -> None:
    row = table(house, 1)[0]
    send(house, data_of([row]))
    subject = f"cylinder/{state_of(house, code_of(row)).cylinder_id}"
    house.append(subject, events.CodeVoided(code=code_of(row), cause="label lost"))
    said = send(house, data_of([row]))
    assert "dead for ever" in said["errors"][0]["message"]


def bind(house: House, code: str, new: str, role: str = "company", id: str = "") -> Any:
    body = {"id": id or new_id("bind"), "code": code, "new_code": new, "occurred_at": now()}
    return house.as_(None, f"token-of-{role}").post("/v1/codes", json=body)


def test_a_cylinder_known_by_an_old_number_alone_is_given_its_own_code_later(house: House) -> None:
    mark = str(now())
    headers = "出厂编号,制造单位,型号,皮重,容积,最大充装量(kg),省级气瓶编号"
    data = f"{headers}\nS{mark},示例厂,YSP35.5,16.5,35.5,14.9,ZJ-{mark}".encode()
    assert send(house, data)["registered"] == 1
    code = new_code(house, 996)
    assert bind(house, f"province:ZJ-{mark}", code).status_code == 201
    assert state_of(house, code).codes == (f"province:ZJ-{mark}", code)


def test_a_code_is_bound_once_and_never_taken_from_a_cylinder_alive_or_dead(house: House) -> None:
    first, second = house.new_bottle(), house.new_bottle()
    for name in ("province:ZJ-A", "grai:09520001123450ZJ33010000017", "giai:9520001VLV/0098231"):
        assert bind(house, first.code, name).status_code == 201
        taken = bind(house, second.code, name)
        assert (taken.status_code, taken.json()["code"]) == (409, "code_taken")
        assert "已属于气瓶" in taken.json()["detail"]
    house.append(first.subject, events.Condemned(body_id="ib_1", cause="wall too thin"))
    dead = bind(house, second.code, "province:ZJ-A")
    assert (dead.status_code, dead.json()["code"]) == (409, "code_taken")
    assert "永不再用" in dead.json()["detail"]


@pytest.mark.parametrize("scheme", ["province:ZJ", "tid:E200", "maker:HZ-", "registration:3330", "giai:9520001V"])
def test_a_cylinder_is_judged_by_any_of_its_names_at_the_scale(house: House, scheme: str) -> None:
    bottle, name = house.new_bottle(), f"{scheme}{now()}"
    assert bind(house, bottle.code, name).status_code == 201

    def scan() -> tuple[str, str | None]:
        decision = house.as_("station").post("/v1/fill-checks", json=check_body(name)).json()["decision"]
        return decision["outcome"], decision.get("cylinder_id")

    assert scan() == ("ALLOW", bottle.cylinder_id)
    house.append(bottle.subject, events.Condemned(body_id="ib_1", cause="wall too thin"))
    assert scan() == ("DENY", bottle.cylinder_id)


def test_only_the_owner_binds_a_code_and_no_invented_one(house: House) -> None:
    bottle = house.new_bottle()
    assert bind(house, bottle.code, "tid:E200", "company-2").json()["code"] == "other_owner"
    invented = make_code(bytes(10), TagKey("else", bytes(32))).text
    assert bind(house, bottle.code, invented).json()["code"] == "code_unreadable"
    assert bind(house, bottle.code, "nonsense:1").json()["code"] == "code_unreadable"


# --- the stamp at the scan ------------------------------------------------------------------------------------


def test_a_stamp_that_a_device_read_is_compared_by_the_service_too(house: House) -> None:
    bottle = house.new_bottle()
    station = house.as_("station")
    good = station.post("/v1/fill-checks", json=check_body(bottle, stamp_seen={"tare_g": 16_500})).json()
    assert good["decision"]["outcome"] == "ALLOW"
    bad = station.post("/v1/fill-checks", json=check_body(bottle, stamp_seen={"serial": "X", "tare_g": 15_200})).json()
    assert [reason["code"] for reason in bad["decision"]["reasons"]] == ["R04"]
    assert bad["told"][0]["zh"] == "钢印与档案不一致:出厂编号、皮重"
    assert house.entries_of(bottle.subject)[-1].data["request"]["stamp_seen"] == {"serial": "X", "tare_g": 15_200}
    assert "stamp_seen" not in station.post("/v1/fill-checks", json=check_body(bottle)).text


@pytest.mark.parametrize("seen", [{"colour": "grey"}, {"tare_g": "16500"}, {"serial": ""}, {"tare_g": 16.5}, []])
def test_a_reading_of_a_stamp_that_is_none_is_refused(one_house: House, seen: object) -> None:
    reply = one_house.as_("station").post("/v1/fill-checks", json=check_body("x", stamp_seen=seen))
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid")


# --- the command ----------------------------------------------------------------------------------------------


def plain_table(folder: Path, rows: int) -> Path:
    file = folder / "t.csv"
    lines = [f"A{number:05d},M,YSP35.5,2021-03,16.5,35.5,14.9" for number in range(rows)]
    file.write_text("\n".join(["serial,maker,model,manufactured,tare,volume,maxfill", *lines]))
    return file


def withdrawals(folder: Path) -> int:
    with sqlite3.connect(f"file:{folder}/ledger.db?mode=ro", uri=True, timeout=10) as database:
        (count,) = database.execute("select count(*) from entry where type = 'registration_withdrawn'").fetchone()
    database.close()
    return int(count)


def test_the_command_lists_imports_and_undoes_one(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path)
    assert run("import", "--list", "--data", tmp_path).out == "no imports yet\n"
    imported = answer("import", plain_table(tmp_path, 3), "--company", "co_1", "--data", tmp_path)
    (listed,) = answer("import", "--list", "--data", tmp_path)["imports"]
    assert (listed["import_id"], listed["cylinders"], listed["withdrawn"]) == (imported["import_id"], 3, 0)
    undone = ("import", "--undo", imported["import_id"], "--cause", "列错位", "--data", tmp_path)
    assert run(*undone).out == "3 withdrawn, 0 withdrawn before, 0 kept\n"
    assert run(*undone).out == "0 withdrawn, 3 withdrawn before, 0 kept\n"
    assert answer("import", plain_table(tmp_path, 3), "--company", "co_1", "--data", tmp_path)["registered"] == 3


def test_what_the_import_command_lacks_is_one_sentence(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path)
    file = plain_table(tmp_path, 1)
    assert "--company" in run("import", file, "--data", tmp_path).sentence
    assert "--list" in run("import", "--data", tmp_path).sentence
    assert "one of" in run("import", file, "--list", "--data", tmp_path).sentence
    assert "--cause" in run("import", "--undo", "x", "--data", tmp_path).sentence
    assert "no import" in run("import", "--undo", "x", "--cause", "y", "--data", tmp_path).sentence
    bad_rows = ("import", file, "--company", "co_1", "--data", tmp_path, "--bad-rows")
    assert "not overwritten" in run(*bad_rows, str(file)).sentence
    assert "neither" in run(*bad_rows, "x.txt").sentence_of_arguments


def test_the_bad_rows_of_the_service_come_back_with_what_only_the_ledger_knows(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path)
    file, bad = plain_table(tmp_path, 2), tmp_path / "bad.csv"
    answer("import", file, "--company", "co_1", "--data", tmp_path)
    done = run("import", file, "--company", "co_2", "--data", tmp_path, "--bad-rows", bad)
    assert done.code == 1
    text = bad.read_bytes().decode("utf-8-sig")
    assert text.count("相同") == 2
    assert "A00001,M,YSP35.5" in text


def test_an_undo_that_was_killed_half_way_is_finished_by_the_same_command(tmp_path: Path) -> None:
    answer("migrate", "--data", tmp_path)
    rows = 3_000
    imported = answer("import", plain_table(tmp_path, rows), "--company", "co_1", "--data", tmp_path)
    undone = ["import", "--undo", imported["import_id"], "--cause", "列错位", "--data", str(tmp_path)]
    with subprocess.Popen([*COMMAND, *undone], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while withdrawals(tmp_path) == 0:
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    half = withdrawals(tmp_path)
    assert 0 < half < rows, "it was killed in the middle"
    assert run(*undone).out == f"{rows - half} withdrawn, {half} withdrawn before, 0 kept\n"
    assert withdrawals(tmp_path) == rows
    key = open_folder(tmp_path).log.verifying_key
    assert audit_home(f"sqlite:///{tmp_path}/ledger.db", tmp_path, [key]).faults == []


def test_a_fill_that_a_station_tells_after_the_withdrawal_is_recorded_with_a_dispute(
    one_house: House, device: Device
) -> None:
    bottle = one_house.new_bottle()
    check = device.decide(bottle)
    device.fill(bottle, check.id)
    withdrawn = events.RegistrationWithdrawn(import_id="import-1", company_id="co_1", cause="columns shifted")
    one_house.append(bottle.subject, withdrawn)
    reply = one_house.as_("station").post("/v1/stations/st_1/entries", json=device.upload())
    assert [one["status"] for one in reply.json()["answers"]] == ["stored", "disputed"]
    assert one_house.disputes(bottle.subject) == ["registration_withdrawn"]
    assert one_house.entries_of(bottle.subject)[-2].type == "filled"
