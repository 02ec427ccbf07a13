"""What the door does with bodies that nobody should send: a named problem, and nothing partial is recorded."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from api_house import Device, House, check_body, new_id
from openpyxl import Workbook
from test_imports_route import HEADERS, table

from cylinder_codes.tables import MAX_UNPACKED_BYTES
from servers.keyed import HEADER


def nothing_recorded(house: House, ask: Callable[[], httpx.Response]) -> httpx.Response:
    size = house.running.ledger.reader.size()
    answer = ask()
    assert house.stated_since(size) == [], answer.text
    return answer


def send_table(house: House, data: bytes, name: str) -> dict[str, Any]:
    files = {"file": (name, data)}
    answer = nothing_recorded(house, lambda: house.as_("company").post("/v1/imports", files=files))
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert (said["registered"], said["errors"][0]["row"]) == (0, 0), said
    return said


def bomb(part: str, size: int) -> bytes:
    """An archive whose part unpacks to `size` zeros, a thousand times its own bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(part, "w") as out:
        for _ in range(size // 2**20 + 1):
            out.write(bytes(2**20))
    return packed.getvalue()


@pytest.fixture(scope="module")
def zip_bomb() -> bytes:
    return bomb("xl/worksheets/sheet1.xml", MAX_UNPACKED_BYTES)


def understated(packed: bytes) -> bytes:
    """The same archive, declaring that its part unpacks to 1,000 bytes."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        size = archive.infolist()[0].file_size
    return packed.replace(size.to_bytes(4, "little"), (1_000).to_bytes(4, "little"))


def test_a_workbook_that_unpacks_beyond_all_measure_is_refused_unpacked(one_house: House, zip_bomb: bytes) -> None:
    said = send_table(one_house, zip_bomb, "t.xlsx")
    assert "unpacks to more than" in said["errors"][0]["message"]
    assert "工作簿过大" in said["errors"][0]["message_zh"]


def test_a_workbook_that_lies_about_its_size_is_damaged(one_house: House, zip_bomb: bytes) -> None:
    said = send_table(one_house, understated(zip_bomb), "t.xlsx")
    assert "damaged" in said["errors"][0]["message"]


def test_a_workbook_with_more_cells_than_anybody_fills_is_refused(one_house: House) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([*HEADERS.split(","), *["x"] * 16_000])
    for _ in range(400):
        sheet.append([*["1"] * 4, *[None] * 15_000, "x"])
    packed = io.BytesIO()
    book.save(packed)
    said = send_table(one_house, packed.getvalue(), "t.xlsx")
    assert "cells" in said["errors"][0]["message"]


@pytest.mark.parametrize("data", [b"\xff\xfe\xff", b"\x00" * 100, "編號,1".encode("utf-7"), b"PK\x03\x04rubbish"])
def test_a_file_in_no_known_characters_is_refused_whole(one_house: House, data: bytes) -> None:
    send_table(one_house, data, "t.csv")


def test_a_table_in_gb18030_or_with_a_byte_order_mark_is_read(one_house: House) -> None:
    for encoding in ("gb18030", "utf-8-sig"):
        data = "\n".join([HEADERS, *table(one_house, 2)]).encode(encoding)
        said = one_house.as_("company").post("/v1/imports", files={"file": ("t.csv", data)}).json()
        assert (said["registered"], said["errors"]) == (2, []), encoding


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"check_id":' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
        '{"check_id": "编号"}'.encode("gb18030"),
        '{"check_id": "x"}'.encode("utf-16"),
        b"\xff\xfe\x00",
        b'{"check_id": "\\ud800"}',
        b'{"check_id": NaN}',
        b"",
        b"null",
    ],
    ids=["nested lists", "nested objects", "GB18030", "UTF-16", "bytes", "half a pair", "NaN", "nothing", "null"],
)
def test_a_body_that_is_no_json_of_ours_is_a_named_problem(one_house: House, body: bytes) -> None:
    headers = {HEADER: new_id("k"), "Content-Type": "application/json"}
    client = one_house.as_("station")
    answer = nothing_recorded(one_house, lambda: client.post("/v1/fill-checks", content=body, headers=headers))
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("invalid", "malformed_request")


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=gb18030", "application/xml"])
def test_json_in_other_characters_or_of_another_kind_is_refused(one_house: House, kind: str) -> None:
    body = check_body(one_house.new_bottle())
    client = one_house.as_("station")
    headers = {HEADER: body["check_id"], "Content-Type": kind}
    answer = nothing_recorded(
        one_house, lambda: client.post("/v1/fill-checks", content=str(body).encode("gb18030"), headers=headers)
    )
    assert answer.json()["code"] in ("not_json", "invalid")


def test_a_station_neither_checks_nor_fills_nor_uploads_in_another_s_name(one_house: House, device: Device) -> None:
    stranger = one_house.as_(None, "token-of-station-2")
    bottle = one_house.new_bottle()
    device.decide(bottle)
    for path, body in (
        ("/v1/fill-checks", check_body(bottle)),
        ("/v1/stations/st_1/entries", device.upload()),
        ("/v1/returns", {"id": "r", "code": bottle.code, "station_id": "st_1", "occurred_at": 1}),
    ):
        answer = nothing_recorded(one_house, lambda path=path, body=body: stranger.post(path, json=body))  # type: ignore[misc]
        assert (answer.status_code, answer.json()["code"]) == (403, "other_station"), path


def test_the_foreign_cylinder_of_a_station_is_a_refusal_on_record_and_no_error(one_house: House) -> None:
    answer = one_house.as_("station").post("/v1/fill-checks", json=check_body(one_house.new_bottle("co_2")))
    assert (answer.status_code, answer.json()["decision"]["outcome"]) == (200, "DENY")


def test_a_stale_upload_changes_nothing_and_a_recorded_head_opens_nothing_for_other_records(
    one_house: House, device: Device
) -> None:
    for _ in range(3):
        device.decide(one_house.new_bottle())
    client = one_house.as_("station")
    first = device.upload(device.records[:2])
    assert client.post("/v1/stations/st_1/entries", json=first).json()["problem"] is None
    assert client.post("/v1/stations/st_1/entries", json=device.upload()).json()["problem"] is None
    replayed = nothing_recorded(one_house, lambda: client.post("/v1/stations/st_1/entries", json=first)).json()
    assert [answer["status"] for answer in replayed["answers"]] == ["known", "known"]
    other = {**device.upload(), "head": first["head"]}
    told = nothing_recorded(one_house, lambda: client.post("/v1/stations/st_1/entries", json=other)).json()
    assert told["problem"]["code"] in ("chain_broken", "bad_record")


@pytest.mark.parametrize("where", ["../../etc/passwd", "%2e%2e%2f", "x%0d%0aSet-Cookie:%20a=b", "%00", "a" * 5_000])
def test_an_address_that_wants_elsewhere_leads_nowhere(one_house: House, where: str) -> None:
    for path in (f"/v1/cylinders/{where}/history", f"/log/tile/0/{where}", f"/v1/recalls/{where}/cylinders"):
        answer = one_house.as_("regulator").get(path)
        assert 400 <= answer.status_code < 500, path
        assert "set-cookie" not in answer.headers
