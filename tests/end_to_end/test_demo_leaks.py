"""The demo's search for personal data finds what it should find: each kind of it, of every generated customer."""

import sys
from pathlib import Path

import pytest

from cylinder_api.town.plan import TownPlan
from cylinder_api.town.town import generate_town
from cylinder_codes.authenticity import TagKey

sys.path.insert(0, str(Path(__file__).parent / "demo"))
from town import CUSTOMER, leaks

TOWN = generate_town(TownPlan(7, "2026-11-22", TagKey("town", bytes(32)), 200))
PEOPLE = [*(customer.identity.model_dump() for customer in TOWN.customers), CUSTOMER]
VALUES = {value.encode() for person in PEOPLE for value in person.values()}


@pytest.mark.parametrize("kind", ["name", "id_number", "phone", "address"])
def test_each_customer_s_data_would_be_found_wherever_it_stood(kind: str, tmp_path: Path) -> None:
    for number, person in enumerate(PEOPLE):
        (tmp_path / f"{number}.bin").write_bytes(b'\0\xff000"' + person[kind].encode() + b'"\xe6\0')
    assert len(leaks(tmp_path, VALUES)) == len(PEOPLE)


def test_what_only_looks_alike_is_no_leak(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"name":"示例餐馆9999号","phone":"00000000000"}')
    assert leaks(tmp_path, VALUES) == []
