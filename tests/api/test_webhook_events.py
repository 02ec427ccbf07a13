"""What a message says: a type for every event, a valid CloudEvent, nothing personal, and words in both languages."""

import ast
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cylinder_api.delivery import addresses, deliverer, sending
from cylinder_api.delivery.cloud_events import Bodies
from cylinder_api.delivery.event_types import PREFIX, TEST, TYPES, UNTOLD
from cylinder_api.delivery.said import in_chinese
from cylinder_trace.events import EVENT_CLASSES, parse_entry
from cylinder_trace.store.outbox.messages import About, Due
from cylinder_trace.store.tables import DeliveryRow, WebhookRow

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "webhooks.md"
STORED = [
    parse_entry(one["text"].encode())
    for one in json.loads((ROOT / "tests/vectors/entries.json").read_text("utf-8"))["entries"]
]
WEBHOOK = WebhookRow(
    webhook_id="wh_1", org_id="co_1", role="company", account_id="a", url="https://erp.example/", words="",
    created_at=0, next_index=0,
)  # fmt: skip
TOLD = [entry for entry in STORED if entry.type in TYPES and not entry.subject.startswith(("worker/", "customer/"))]


def body_of(about: About | None, public_url: str | None = None) -> bytes:
    message = DeliveryRow(message_id="msg_1_7", webhook_id="wh_1", made_at=1, state="waiting", since=1)
    return Bodies("ledger.example/tests", public_url).of(Due(message, WEBHOOK, about))


def about(entry: Any) -> About:
    return About(7, entry.id, entry.subject, entry.type, entry.occurred_at, entry.recorded_at, bytes(32))


def require_cloud_event(body: bytes) -> dict[str, Any]:
    """What the specification asks of an event as structured JSON (CloudEvents 1.0.2 §3, JSON format 1.0.2 §2, §3)."""
    event: dict[str, Any] = json.loads(body)
    assert event["specversion"] == "1.0"
    for name, value in event.items():
        assert re.fullmatch(r"[a-z0-9]{1,20}", name), "names of attributes"
        assert name == "data" or (isinstance(value, str) and value), (
            "every attribute here is a text that says something"
        )
    assert {"id", "source", "type"} <= set(event)
    assert urlsplit(event["source"]).scheme == "https"
    moment = datetime.fromisoformat(event["time"])
    assert moment.tzinfo is not None
    assert event["time"].endswith("Z")
    assert event["datacontenttype"] == "application/json"
    assert isinstance(event["data"], dict)
    assert "data_base64" not in event
    return event


def test_every_event_has_a_type_of_its_own_or_a_reason_why_nobody_is_told() -> None:
    words = set(EVENT_CLASSES)
    assert words <= set(TYPES) | set(UNTOLD)
    assert set(TYPES) <= words
    assert not set(TYPES) & set(UNTOLD)
    types = [*TYPES.values(), TEST]
    assert len(set(types)) == len(types)
    assert all(re.fullmatch(rf"{re.escape(PREFIX)}[a-z]+\.[a-z_]+\.v[1-9]", type) for type in types)


def test_the_page_names_every_type_beside_its_word() -> None:
    page = PAGE.read_text("utf-8")
    assert [word for word, type in TYPES.items() if f"| `{word}` | `{type}` |" not in page] == []
    assert TEST in page


@pytest.mark.parametrize("entry", TOLD, ids=lambda entry: entry.type)
def test_a_message_is_a_cloud_event_that_holds_nothing_of_what_was_recorded(entry: Any) -> None:
    body = body_of(about(entry))
    event = require_cloud_event(body)
    assert (event["type"], event["subject"], event["id"]) == (TYPES[entry.type], entry.subject, entry.id)
    assert set(event["data"]) <= {"entry_id", "event", "log_index", "entry_hash", "recorded_at", "link"}
    ids = {entry.id, entry.subject, *entry.subject.split("/")}
    recorded = [text for text in texts_in(entry.data) if len(text) > 3 and not any(text in id for id in ids)]
    assert [text for text in recorded if text in body.decode()] == []


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts_in(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in texts_in(part)]
    return [value] if isinstance(value, str) else []


def test_a_test_message_is_a_cloud_event_too() -> None:
    event = require_cloud_event(body_of(None))
    assert (event["type"], event["subject"], event["id"], event["data"]) == (TEST, "wh_1", "msg_1_7", {})


def test_the_link_leads_to_where_the_service_is_reached_from_outside() -> None:
    entry = next(entry for entry in TOLD if entry.subject.startswith("cylinder/"))
    event = json.loads(body_of(about(entry), "https://ledger.example"))
    cylinder_id = entry.subject.partition("/")[2]
    assert event["data"]["link"] == f"https://ledger.example/v1/cylinders/{cylinder_id}/history"


def sentences() -> list[str]:
    """Every sentence that an attempt or a refused URL may end with, as it may read."""
    found = [deliverer.GONE, deliverer.LONG_FAILED]
    for module in (addresses, deliverer, sending):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                said = node.args[1] if node.func.id == "Outcome" and len(node.args) > 1 else node.args[0]
                if node.func.id in ("BadAddress", "Outcome"):
                    found += literal(said)
            if isinstance(node, ast.FunctionDef) and node.name in ("_told", "_why"):
                found += [text for one in ast.walk(node) if isinstance(one, ast.Return) for text in literal(one.value)]
    return found


def literal(node: ast.AST | None) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)]
    return []


def test_whatever_is_said_of_sending_is_said_in_chinese_too() -> None:
    found = sentences()
    assert len(found) >= 18
    assert [
        said for said in found if in_chinese(said) == said and said != "a receiver is reached over the network"
    ] == []
