"""Asking the resolver with every byte of the path as it stands, as phones do and HTTP libraries do not."""

import http.client
import json
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api_house import Bottle, House

from cylinder_trace.events import CodeBound
from cylinder_trace.vocabulary.naming import CodeScheme

VECTORS = Path(__file__).parents[1] / "vectors" / "resolver"
GRAI, GIAI = "09520001123450ZJ33010000017", "9520001VLV-0098231"
ALIASES: tuple[tuple[CodeScheme, str], ...] = (
    ("grai", GRAI), ("giai", GIAI), ("giai", "9520001A/B"), ("province", "ZJ330100000017"),
    ("tid", "E2801160600002084F1A7B3C"), ("stamp", "XF|2019-03|00123"), ("registration", "浙A00001"),
)  # fmt: skip


def vectors(name: str) -> list[dict[str, Any]]:
    """The rows of a file of vectors."""
    rows: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    return rows


@dataclass(frozen=True)
class Told:
    """An answer as it came, no redirect followed."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, target: str, method: str = "GET", **headers: str) -> Told:
    """Ask for `target`, path and query as they are; underscores in header names are hyphens."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers=named)
        answer = connection.getresponse()
        return Told(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def follow(url: str, target: str, **headers: str) -> Told:
    """Ask, and once more where the answer leads to on the same service."""
    told = ask(url, target, **headers)
    if told.status != 307:
        return told
    place = urlsplit(str(told.headers["Location"]))
    return ask(url, place.path + (f"?{place.query}" if place.query else ""), **headers)


def labelled_bottle(house: House) -> Bottle:
    """A cylinder that every link of the vectors leads to."""
    bottle = house.new_bottle()
    for scheme, value in ALIASES:
        house.append(bottle.subject, CodeBound(code=f"{scheme}:{value}", scheme=scheme))
    return bottle


def filled_in(text: str, bottle: Bottle) -> str:
    """A path of the vectors about this cylinder."""
    places = {"{own}": bottle.code, "{own_lower}": bottle.code.lower(), "{label}": f"/c/{bottle.code}"}
    for place, value in {**places, "{code}": bottle.code}.items():
        text = text.replace(place, value)
    return text
