"""Every read of the document with good parameters, and with whose token."""

import time
from typing import Any, NamedTuple

from api_house import House
from epcis_events import epcis_places
from every_write import Writes
from public_labels import LABELLED, OPEN, QUERIES, label_places

from cylinder_trace.events import AlarmFact, AlarmRaised


class Read(NamedTuple):
    """One request that the service answers."""

    operation: str
    token: str | None
    places: dict[str, Any]
    query: dict[str, Any]


REGULATOR, STATION, ADMIN = "token-of-regulator", "token-of-station", "token-of-admin"
WEBHOOKS = ("list_webhooks", "get_webhook", "list_deliveries")
TOKEN_OF_READS: dict[str, str | None] = {
    **dict.fromkeys(
        ("list_fill_checks", "list_cylinders", "get_history", "get_history_bundle", "get_cylinder", "get_figures",
         "get_scrapping", "list_authority_keys", "list_recalled", "list_disputes", "list_alarms", "get_entry_bundle",
         "list_devices"), REGULATOR,
    ),
    **dict.fromkeys(("list_authority_keys", "list_present_devices"), ADMIN),
    **dict.fromkeys(("get_replica", "get_dead_codes", "stream_changes", "get_me"), STATION),
    **dict.fromkeys(
        ("list_imports", "get_import", "list_clients", "list_users", "list_sessions"), ADMIN
    ),
    **dict.fromkeys(
        (*LABELLED, *OPEN, "get_checkpoint", "get_log_keys", "get_log_rotations", "get_tile", "get_problem_page",
         "get_health", "get_readiness"),
    ),
    **dict.fromkeys(WEBHOOKS, "token-of-company"),
    **dict.fromkeys(("list_captures", "get_capture"), "token-of-company"),
    "get_metrics": "token-of-prometheus",
    **dict.fromkeys(
        ("query_epcis_events", "get_epcis_event", "list_epcis_resources", "list_epcis_values",
         "query_epcis_events_of", "get_epcis_value", "list_epcis_queries", "get_epcis_query",
         "query_epcis_events_by_name", "list_epcis_subscriptions", "get_epcis_subscription"), REGULATOR,
    ),
}  # fmt: skip
ENDLESS = "stream_changes"
AN_ALARM = AlarmRaised(
    station_id="st_1", kind="rise_without_permit", lane=1, scale_id="sc_1_1", worker_id="fl_1",
    from_at=1_795_312_790_000, to_at=1_795_312_800_000, facts=(AlarmFact(name="gain_g", value=340),),
    zh="没有准充令而重量上升 340 g。", en="The weight rose by 340 g without a permit.",
)  # fmt: skip


def newest_tile(house: House) -> str:
    """The place of the tile, full or not, in which the log ends."""
    ledger = house.running.ledger
    ledger.publisher.wait_published(ledger.reader.size(), timeout_s=60)
    published = ledger.reader.newest_published()
    assert published is not None
    full, width = divmod(published[0], 256)
    return f"{full:03}.p/{width}" if width else f"{full - 1:03}"


def captured_by(writes: Writes) -> str:
    """The id of a capture job."""
    location: str = writes.send(writes.new("capture_epcis")).headers["Location"]
    return location.rpartition("/")[2]


def wait_for_captures(house: House) -> None:
    """What was captured is written soon after the answer, and then in the ledger."""
    until = time.monotonic() + 60
    while any(job.finished_at is None for job in house.running.captures.jobs(None, None, 100)):
        assert time.monotonic() < until, "a capture job did not end"
        time.sleep(0.01)


def reads(house: House, writes: Writes) -> dict[str, Read]:
    """A good request for each read; what they ask for is stated before."""
    bottle = house.new_bottle()
    house.append("station/st_1", AN_ALARM)
    recall = (writes.done("open_recall").body or {})["id"]
    tile = newest_tile(house)
    webhook = {"webhook_id": writes.send(writes.new("create_webhook")).json()["webhook_id"]}
    places: dict[str, dict[str, Any]] = {
        **{name: {"name": bottle.code} for name in ("get_history", "get_history_bundle", "get_cylinder")},
        **{name: {"station_id": "st_1"} for name in ("get_replica", "get_dead_codes", "list_devices")},
        **label_places(house, bottle.code),
        "list_recalled": {"recall_id": recall},
        **epcis_places(house, bottle.code, REGULATOR),
        "get_import": {"import_id": writes.send(writes.new("import_cylinders")).json()["import_id"]},
        "get_entry_bundle": {"place": tile},
        "get_tile": {"level": 0, "place": tile},
        "get_problem_page": {"code": "too_many"},
        "get_capture": {"capture_id": captured_by(writes)},
        **dict.fromkeys(WEBHOOKS[1:], webhook),
    }
    query = {"get_figures": {"month": "2026-11"}, **QUERIES}
    return {
        operation: Read(operation, token, places.get(operation, {}), query.get(operation, {}))
        for operation, token in TOKEN_OF_READS.items()
        if operation != ENDLESS
    }
