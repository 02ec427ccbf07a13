"""No personal data outside the vault: not in the database, not in the log, not in the public files, not in answers."""

import time
from pathlib import Path

import httpx
from api_house import House, now
from api_process import Served

from servers.keyed import keyed_client

BUYER = {"name": "ZZ演示姓名ZZ", "id_number": "ZZ-ID-4711", "phone": "ZZ-PHONE-4712", "address": "ZZ演示路4713号"}


def until_published(url: str) -> None:
    deadline = time.monotonic() + 60
    while (ready := httpx.get(f"{url}/readyz").json())["published"] != ready["entries"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_buyers_name_number_telephone_and_address_are_found_nowhere_on_disk_and_in_no_log(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        bottles = [house.new_bottle() for _ in range(3)]
    service = Served("--data", tmp_path, "--log-level", "debug")
    client = keyed_client(service.url, {"Authorization": "Bearer token-of-delivery"})
    answers = []
    for number, bottle in enumerate(bottles):
        sale = {
            "id": f"sale.{number}", "code": bottle.code, "order_no": f"order.{number}", "point_id": "pt_1",
            "worker_id": "dw_1", "customer": BUYER, "safety_check_passed": True, "occurred_at": now(),
        }  # fmt: skip
        broken = {**sale, "id": "x", "customer": {**BUYER, "phone": ["ZZ-PHONE-4712"], "ZZ-ID-4711": "x"}}
        url = "/v1/sales"
        answers.append(client.post(url, json=sale))
        answers.append(client.post(url, json=broken))
        answers.append(client.post(f"{url}?name=ZZ-PHONE-4712", json=sale))
    client.close()
    assert [answer.status_code for answer in answers] == [201, 422, 201] * 3
    seen = _read_and_erased(service, [answer.json()["customer_id"] for answer in answers[::3]])
    assert BUYER["phone"] in seen[0].text
    until_published(service.url)  # nothing is written any more while the files are read
    # the database is read while it still has its write-ahead log, too
    places = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert service.stop() == 0
    places |= {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    places[Path("log of the service")] = service.log.encode()
    places[Path("answers")] = b"".join(answer.content for answer in answers[::3] + answers[2::3])
    assert sum(len(data) for data in places.values()) > 50_000
    for path, data in places.items():
        for value in (*BUYER.values(), "token-of-delivery"):
            assert value.encode() not in data, (path, value)


def _read_and_erased(service: Served, customers: list[str]) -> list[httpx.Response]:
    """Somebody looks at each, and the last is erased."""
    acts = [(f"{customer}/readings", {"purpose": "complaint"}) for customer in customers]
    acts.append((f"{customers[-1]}/erase", {"cause": "own_request"}))
    answers = []
    with keyed_client(service.url, {"Authorization": "Bearer token-of-company"}) as client:
        for number, (path, said) in enumerate(acts):
            body = {"id": f"act.{number}", "occurred_at": now(), **said}
            answers.append(client.post(f"/v1/customers/{path}", json=body))
    assert [answer.status_code for answer in answers] == [201] * len(acts)
    return answers


def test_a_name_in_the_wrong_field_is_not_repeated_in_the_answer(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        body = {
            "id": "i.1", "code": house.new_bottle().code, "occurred_at": now(), "inspected_month": BUYER["name"],
            "result": "passed", "report_no": "r",
        }  # fmt: skip
        answer = house.as_("inspector").post("/v1/inspections", json=body)
        assert answer.json()["errors"][0]["pointer"] == "/body/inspected_month"
        assert BUYER["name"] not in answer.text
