"""Registering a company's own table of cylinders: good rows stand, bad rows are told, twice changes nothing."""

import io
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from api_house import House, check_body, now
from api_process import Served
from openpyxl import Workbook

from cylinder_codes.identifiers import make_code
from servers.keyed import keyed_client

HEADERS = "气瓶条码,出厂编号,制造单位,型号,制造年月,皮重,容积,最大充装量(kg),使用登记证编号,检验日期,产权单位"

_HEAD = "POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-company\r\nIdempotency-Key: k\r\n"


def new_code(house: House, number: int) -> str:
    return make_code(b"I" + now().to_bytes(8, "big")[-7:] + number.to_bytes(2, "big"), house.running.keys.tag).text


def table(house: House, rows: int, owner: str = "") -> list[str]:
    return [
        f"{new_code(house, number)},{now()}-{number},示例厂,YSP35.5,2021-03,16.5,35.5,14.9,R-{number},2025-01,{owner}"
        for number in range(rows)
    ]


def send(house: House, rows: list[str], dry_run: bool = False, name: str = "t.csv") -> dict[str, object]:
    data = "\n".join([HEADERS, *rows]).encode()
    answer = house.as_("company").post(
        "/v1/imports", params={"dry_run": dry_run}, files={"file": (name, data, "text/csv")}
    )
    assert answer.status_code == 200, answer.text
    said: dict[str, object] = answer.json()
    return said


def counts(said: dict[str, object]) -> tuple[object, ...]:
    return said["rows"], said["registered"], said["known"], said["errors"]


def test_a_dry_run_tells_what_would_happen_and_records_nothing(house: House) -> None:
    size = house.running.ledger.reader.size()
    said = send(house, table(house, 3), dry_run=True)
    assert counts(said) == (3, 3, 0, [])
    assert house.stated_since(size, "co_1") == []


def test_the_same_file_twice_changes_nothing(house: House) -> None:
    rows = table(house, 3)
    assert send(house, rows)["registered"] == 3
    size = house.running.ledger.reader.size()
    assert counts(send(house, rows)) == (3, 0, 3, [])
    assert send(house, rows[:2])["known"] == 2
    assert house.stated_since(size, "co_1") == []


def test_an_imported_cylinder_can_be_filled_at_once(house: House) -> None:
    rows = table(house, 1)
    send(house, rows)
    code = rows[0].partition(",")[0]
    decision = house.as_("station").post("/v1/fill-checks", json=check_body(code)).json()["decision"]
    assert decision["outcome"] == "ALLOW"
    story = house.as_("company").get(f"/v1/cylinders/{code}/history").json()["entries"]
    assert [item["entry"]["type"] for item in story[:3]] == ["cylinder_registered", "code_bound", "code_bound"]


def test_bad_rows_are_told_with_their_place_and_the_good_ones_stand(house: House) -> None:
    rows = table(house, 4)
    invented = make_code(bytes(10), type(house.running.keys.tag)("else", bytes(32))).text
    rows[1] = rows[1].replace(rows[1].partition(",")[0], invented)
    rows[2] = f"{rows[2]}co_2"
    rows[3] = rows[3].replace(",16.5,", ",heavy,")
    said = send(house, rows)
    assert (said["rows"], said["registered"]) == (4, 1)
    errors = said["errors"]
    assert isinstance(errors, list)
    assert [(error["row"], error["column"]) for error in errors] == [(3, "code"), (4, "owner_id"), (5, "皮重")]
    assert all(error["message"] and error["message_zh"] for error in errors)


def test_a_code_that_leads_to_another_cylinder_is_a_row_error(house: House) -> None:
    rows = table(house, 1)
    send(house, rows)
    said = send(house, [rows[0].replace(",示例厂,", ",另一厂,")])
    assert said["registered"] == said["known"] == 0
    assert "already leads to another cylinder" in str(said["errors"])


def test_a_workbook_is_read_too_and_what_is_no_table_is_told(house: House) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (HEADERS, *table(house, 2)):
        sheet.append(row.split(","))
    kept = io.BytesIO()
    book.save(kept)
    company = house.as_("company")
    said = company.post("/v1/imports", files={"file": ("t.xlsx", kept.getvalue())}).json()
    assert (said["registered"], said["errors"]) == (2, [])
    broken = company.post("/v1/imports", files={"file": ("t.xlsx", b"PK\x03\x04 nonsense")}).json()
    assert (broken["registered"], broken["errors"][0]["row"]) == (0, 0)


def test_a_body_without_a_file_is_a_named_problem(house: House) -> None:
    company = house.as_("company")
    assert company.post("/v1/imports", json={}).status_code == 422
    assert company.post("/v1/imports", files={"other": b"x"}).json()["code"] == "invalid"
    broken = company.post("/v1/imports", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert broken.status_code in (400, 422)
    assert company.post("/v1/imports", content=iter([b"x"])).status_code == 411


def test_a_body_that_announces_a_gigabyte_is_refused_before_it_is_sent(house: House) -> None:
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(f"{_HEAD}Content-Length: {2**30}\r\n\r\n".encode())
        assert b"HTTP/1.1 413" in caller.recv(65_536)


def test_a_body_that_announces_little_and_comes_in_chunks_without_end_is_refused(house: House) -> None:
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as caller:
        caller.sendall(f"{_HEAD}Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n--x\r\n\r\n".encode())
        assert b"HTTP/1.1 411" in caller.recv(65_536)


def test_the_bad_rows_come_back_as_a_sheet_that_is_mended_and_imported(house: House) -> None:
    good, bad = table(house, 2), table(house, 1)[0].replace(",16.5,", ",16.5004,")
    data = "\n".join([HEADERS, good[0], bad, good[1]]).encode()
    size = house.running.ledger.reader.size()
    answer = house.as_("company").post("/v1/imports/bad-rows", files={"file": ("t.csv", data)})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.content.startswith("\ufeff".encode())
    assert "皮重" in answer.text
    assert house.stated_since(size, "co_1") == []
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    mended = answer.content.replace(b"16.5004", b"16.5")
    said = house.as_("company").post("/v1/imports", files={"file": ("mended.csv", mended)}).json()
    assert counts(said) == (1, 1, 0, [])


def test_how_far_a_long_import_is_can_be_asked_while_it_runs(house: House) -> None:
    rows = table(house, 1_500)
    client, import_id = house.as_("company"), str(send(house, rows, dry_run=True)["import_id"])
    assert client.get(f"/v1/imports/{import_id}").json()["code"] == "import_unknown"
    seen: list[dict[str, int]] = []
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, house, rows)
        while not sending.done():
            said = client.get(f"/v1/imports/{import_id}").json()
            if said.get("running"):
                assert said["running"]["rows"] == 1_500
                assert said["registered"] >= said["running"]["done"]
                seen.append(said["running"])
        assert sending.result()["registered"] == 1_500
    assert seen
    assert [one["done"] for one in seen] == sorted(one["done"] for one in seen)
    ended = client.get(f"/v1/imports/{import_id}").json()
    assert ended == {"import_id": import_id, "registered": 1_500, "withdrawn": 0, "running": None}
    other = house.as_(None, "token-of-company-2").get(f"/v1/imports/{import_id}")
    assert other.json()["code"] == "import_unknown"


def test_an_import_cut_off_by_a_kill_goes_on_when_the_file_is_sent_again(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        rows = table(house, 3_000)
        import_id = str(send(house, rows, dry_run=True)["import_id"])
    data = {"file": ("t.csv", "\n".join([HEADERS, *rows]).encode())}
    service = Served("--data", tmp_path)
    with (
        keyed_client(service.url, {"Authorization": "Bearer token-of-company"}) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        sending = pool.submit(client.post, "/v1/imports", files=data)
        while not client.get(f"/v1/imports/{import_id}").json().get("registered"):
            assert not sending.done()
        service.stop(signal.SIGKILL)
        assert isinstance(sending.exception(), httpx.HTTPError)
    with House(tmp_path) as house:
        client = house.as_("company")
        before = client.get(f"/v1/imports/{import_id}").json()
        assert before["running"] is None
        assert before["registered"] % 1_000 == 0 < before["registered"]
        said = send(house, rows)
        assert (said["registered"], said["known"]) == (3_000 - before["registered"], before["registered"])
        assert client.get(f"/v1/imports/{import_id}").json()["registered"] == 3_000
        assert house.audit() == []
