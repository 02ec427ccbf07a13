"""What the demo brings to the town: new codes and labels, a table of new cylinders, a customer."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import zxingcpp
from PIL import Image

from cylinder_api.town.plan import TownPlan
from cylinder_api.town.town import generate_town
from cylinder_codes.keys import parse_tag_key

BEIJING = timezone(timedelta(hours=8))
TARE_G = 16_500
CUSTOMER = {
    "name": "演示用户甲乙丙",
    "id_number": "11010519491231002X",
    "phone": "13900001234",
    "address": "演示街道一号楼三层二室",
}
"""Generated; the number is the published sample of GB 11643."""


def now_ms() -> int:
    """UTC milliseconds, now."""
    return int(datetime.now(UTC).timestamp() * 1000)


def read_picture(path: Path) -> str:
    """The text of the one symbol on a picture, by a decoder that is not ours; empty if it finds none or two."""
    with Image.open(path) as picture:
        found = zxingcpp.read_barcodes(picture)
    return found[0].text if len(found) == 1 else ""


def import_table(codes: list[str], owner_id: str) -> bytes:
    """A company's table of new cylinders, with the headers such tables really have."""
    made = (datetime.now(BEIJING) - timedelta(days=200)).strftime("%Y-%m")
    headers = [
        "气瓶条码",
        "产权单位",
        "使用登记证编号",
        "制造单位",
        "出厂编号",
        "型号",
        "制造年月",
        "皮重",
        "容积",
        "最大充装量",
    ]
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(headers)
    for number, code in enumerate(codes, start=1):
        row = [
            code,
            owner_id,
            f"瓶演示{number:04d}",
            "演示制瓶厂",
            f"N{number:05d}",
            "YSP35.5",
            made,
            "16.5",
            "35.5",
            "14.9",
        ]
        writer.writerow(row)
    return ("\ufeff" + table.getvalue()).encode()


def new_scans(codes: list[str], links: list[str]) -> list[dict[str, Any]]:
    """Good scans of the cylinders just registered, as their labels read."""
    return [
        {"code": code, "raw_text": link, "empty_gross_g": TARE_G + 60} for code, link in zip(codes, links, strict=True)
    ]


def read_key(path: Path) -> dict[str, Any]:
    """The generator's answer key."""
    key: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return key


def people_of(data: Path) -> set[bytes]:
    """Every name, identity number, telephone number and address of the town's customers, generated once more."""
    made_from = json.loads((data / "town.json").read_text(encoding="utf-8"))
    tag_key = parse_tag_key((data / "keys" / "tag.key").read_text())
    town = generate_town(TownPlan(made_from["seed"], made_from["as_of"], tag_key, made_from["cylinders"]))
    people = [*(customer.identity.model_dump() for customer in town.customers), CUSTOMER]
    return {value.encode() for person in people for value in person.values()}


_LOOKS_PERSONAL = re.compile(
    rb"(?=("
    + "|".join(("示例餐馆\\d{4}号", "...演示\\d{5}", '示例市[^"]{3,60}?(?:室|铺面)', *CUSTOMER.values())).encode()
    + rb"|99\d{15}[0-9X]|000\d{8}))",
    re.DOTALL,
)
"""Whatever has the shape of a customer's data; one byte of a name is not enough for a surname, so three are taken."""


def leaks(folder: Path, people: set[bytes]) -> list[str]:
    """Files below `folder` that hold any of `people`'s data in plain bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if people & set(_LOOKS_PERSONAL.findall(path.read_bytes()))]
