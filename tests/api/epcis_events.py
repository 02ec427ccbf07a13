"""EPCIS events for tests of the doors to them: what is asked for, put where it is found."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson
from api_house import House, new_id

from cylinder_trace.epcis.context import read_context
from cylinder_trace.epcis.faults import Faults
from cylinder_trace.epcis.indexing import index_of
from cylinder_trace.store.epcis.writing import NewEvent, write_events

CONTEXT = b'["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]'


def put_event(
    house: House, event: dict[str, Any], *, org_id: str, log_index: int | None = None, context: bytes = CONTEXT
) -> str:
    """Store one event, captured by an organisation or made from an entry of the log; its id."""
    return put_events(house, [event], org_id=org_id, log_index=log_index, context=context)[0]


def put_events(
    house: House,
    made: Sequence[dict[str, Any]],
    *,
    org_id: str,
    log_index: int | None = None,
    context: bytes = CONTEXT,
) -> list[str]:
    """Store events in one transaction; their ids."""
    expand = read_context(orjson.loads(context), Faults(), ()).expand
    new = [
        NewEvent(orjson.dumps(event), index_of(event, expand), event["eventID"], None, org_id, log_index)
        for event in made
    ]  # fmt: skip
    capture_id = None if log_index is not None else "cap_of_a_test"
    with house.running.ledger.engine.begin() as writing:
        write_events(writing, new, context, house.running.clock(), capture_id)
    return [event.event_id for event in new]


def epcis_places(house: House, code: str, token: str | None) -> dict[str, dict[str, Any]]:
    """What goes into the address of each question about EPCIS events.

    There is one event of the cylinder `code`, and a query with a subscription of whoever has the token.
    """
    cylinder_id = house.running.ledger.reader.cylinder_id(code)
    first = house.running.ledger.reader.history(f"cylinder/{cylinder_id}")[0]
    event = {
        "type": "ObjectEvent",
        "eventID": f"urn:uuid:test-{first.index}",
        "eventTime": "2026-04-01T08:00:00.000+08:00",
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "inspecting",
        "epcList": [f"https://id.pinglian.example/c/{code}"],
    }
    event_id = put_event(house, event, org_id="", log_index=first.index)
    client, name = house.as_(None, token), new_id("query")
    assert client.post("/epcis/queries", json={"name": name, "query": {"EQ_bizStep": ["shipping"]}}).status_code == 201
    said = {"dest": "https://client.example.com/callback", "schedule": {"hour": "1"}}
    subscription = client.post(f"/epcis/queries/{name}/subscriptions", json=said).json()["subscriptionID"]
    named = ("get_epcis_query", "query_epcis_events_by_name", "list_epcis_subscriptions")
    return {
        **{operation: {"name": name} for operation in named},
        "get_epcis_subscription": {"name": name, "subscription_id": subscription},
        "get_epcis_event": {"event_id": quote(event_id, safe="")},
        "list_epcis_values": {"kind": "epcs"},
        **{name: {"kind": "bizSteps", "value": "shipping"} for name in ("query_epcis_events_of", "get_epcis_value")},
    }
