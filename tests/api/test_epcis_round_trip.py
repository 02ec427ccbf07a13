"""GS1's 47 example documents go in by capture and come back by query unchanged, on both homes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_house import House, database_of
from test_epcis_capture import JSON, ended

from cylinder_trace.epcis.document import read_document
from gs1.schema import example_paths, schema_fault

Event = dict[str, Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A service of one process on each home, whose repository holds nothing of others."""
    with database_of(request) as url, House(tmp_path, url) as house:
        yield house


def events_in(said: dict[str, Any]) -> list[Event]:
    """The events of a document, or of an answer."""
    body = said["epcisBody"]
    found: list[Event] = (body.get("queryResults") or {"resultsBody": body})["resultsBody"]["eventList"]
    return found


def all_events(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """Every page of all events, in the order of their recording."""
    ahead = "/epcis/events?perPage=20&orderBy=recordTime&orderDirection=ASC"
    while ahead:
        answer = client.get(ahead, headers={"GS1-EPC-Format": "Never_Translates"})
        assert answer.status_code == 200, answer.text
        yield answer.json()
        ahead = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")


def plain(event: Event) -> Event:
    """The event without what an answer adds."""
    return {name: value for name, value in event.items() if name not in ("recordTime", "@context")}


def test_the_examples_of_gs1_come_back_as_they_went_in(empty: House, conformance_data: Path) -> None:
    client, sent = empty.as_("company"), list[tuple[bytes, bytes]]()
    for path in example_paths(conformance_data):
        data = path.read_bytes()
        answer = client.post("/epcis/capture", content=data, headers=JSON)
        assert answer.status_code == 202, (path.name, answer.text)
        assert ended(client, answer.headers["Location"])["success"], path.name
        document = read_document(data)
        sent += [(document.context_text, captured.text) for captured in document.events]
    pages = list(all_events(client))
    assert [schema_fault(page, conformance_data) for page in pages] == [None] * len(pages)
    # Some documents hold an event of another once more, to the letter.
    came = [json.loads(text) for _context, text in dict.fromkeys(sent)]
    assert [plain(event) for page in pages for event in events_in(page)] == [plain(event) for event in came]
