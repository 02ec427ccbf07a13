"""What is told to whom: each entry to those it concerns, once, however the log was followed, on both homes."""

from typing import Any

import pytest

from cylinder_trace import events
from cylinder_trace.events import Event, Record, state_event
from cylinder_trace.store.lead import Lead
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.outbox.following import MOST_WAITING, Outbox
from cylinder_trace.store.outbox.messages import Tried, list_messages, record_attempts, send_again
from cylinder_trace.store.outbox.webhooks import (
    add_webhook,
    change_webhook,
    first_since,
    read_webhook,
    waiting_of,
)
from cylinder_trace.store.tables import WebhookRow
from ledgers.homes import START, bound, registered, returned

WORDS = frozenset(events.EVENT_CLASSES) - {"head_signed"}
LICENSED: dict[str, Any] = {"licence_no": "L", "valid_until": "2099-12-31"}


def webhook(ledger: Ledger, name: str, role: str = "company", org: str = "co_1", **facts: Any) -> WebhookRow:
    values: dict[str, Any] = {"district": None, "words": "", "next_index": 0, **facts}
    row = WebhookRow(
        webhook_id=f"wh_{name}", org_id=org, role=role, account_id="a", url="https://erp.example/", created_at=START,
        secret_sealed=b"s", **values,
    )  # fmt: skip
    assert add_webhook(ledger.engine, row)
    return row


def follow(ledger: Ledger, limit: int = 256) -> None:
    outbox = Outbox(ledger.engine, ledger.reader, WORDS)
    while outbox.step(START, limit):
        pass


def told(ledger: Ledger, name: str) -> list[str]:
    """Ids of the entries that a webhook is told of, in the order of the log."""
    rows = list_messages(ledger.engine, f"wh_{name}", None, None, 10_000)
    indexes = sorted(row.message.log_index for row in rows if row.message.log_index is not None)
    ids = {entry.index: entry.id for entry in ledger.reader.all_entries()}
    return [ids[index] for index in indexes]


def said(subject: str, event: Event, id: str, refs: tuple[str, ...] = ()) -> Record:
    return state_event(event, id=id, subject=subject, occurred_at=START, by="account_1", refs=refs)


def licensed(station: str, company: str, region: str) -> Record:
    event = events.StationLicensed(company_id=company, region=region, **LICENSED)
    return said(f"station/{station}", event, f"licence.{station}")


def test_a_company_is_told_of_its_cylinders_stations_lots_and_devices_and_of_nobody_elses(ledger: Ledger) -> None:
    for name in ("1", "2"):
        webhook(ledger, name, org=f"co_{name}")
    lot = events.GasLotReceived(station_id="st_1", supplier_id="su", product="lpg", mass_g=10_000, document_no="D")
    enrolled = events.DeviceEnrolled(station_id="st_2", vkey="v")
    ledger.append([licensed("st_1", "co_1", "330106"), licensed("st_2", "co_2", "320100")])
    ledger.append([registered(1), registered(2, owner="co_2"), bound(2)])
    ledger.append([said("lot/l1", lot, "lot.1"), said("device/d2", enrolled, "device.2")])
    follow(ledger)
    assert told(ledger, "1") == ["licence.st_1", "reg.1", "lot.1"]
    assert told(ledger, "2")[:2] == ["licence.st_2", "reg.2"]
    assert told(ledger, "2")[-1] == "device.2"
    assert len(told(ledger, "2")) == 4


def test_who_owned_a_cylinder_at_an_entry_is_told_of_it_also_when_it_was_given_away_since(ledger: Ledger) -> None:
    given = [
        said("cylinder/cyl_1", events.OwnershipTransferred(from_owner_id=a, to_owner_id=b, cosigned=True), f"to.{b}")
        for a, b in (("co_1", "co_2"), ("co_2", "co_3"))
    ]
    ledger.append([registered(1), given[0], returned(1, "back.1"), given[1], returned(1, "back.2")])
    for name in ("1", "2", "3"):
        webhook(ledger, name, org=f"co_{name}")
    follow(ledger)
    assert told(ledger, "1") == ["reg.1", "to.co_2"]
    assert told(ledger, "2") == ["to.co_2", "back.1", "to.co_3"]
    assert told(ledger, "3") == ["to.co_3", "back.2"]


def test_an_authority_is_told_of_its_district_and_of_what_happens_at_its_stations(ledger: Ledger) -> None:
    webhook(ledger, "near", "regulator", "au_1", district="3301")
    webhook(ledger, "all", "regulator", "au_0")
    ledger.append([licensed("st_1", "co_1", "330106"), licensed("st_2", "co_2", "320100")])
    ledger.append([registered(1), registered(2, owner="co_2"), returned(2, "back.far"), returned(1, "back.near")])
    follow(ledger)
    # The far company's cylinder came back to the near station.
    assert told(ledger, "near") == ["licence.st_1", "reg.1", "back.far", "back.near"]
    assert len(told(ledger, "all")) == ledger.reader.size()


def test_nobody_is_told_of_chains_about_people(ledger: Ledger) -> None:
    webhook(ledger, "all", "regulator", "au_0")
    corrected = events.CertificateRecorded(
        certificate_no="N", scope="filling", authority_id="au_1", valid_from="2025-01-01", valid_until="2028-12-31"
    )
    ledger.append([said("worker/fl_1", corrected, "certificate.1"), registered(1)])
    follow(ledger)
    assert told(ledger, "all") == ["reg.1"]


@pytest.mark.parametrize("stretch", [1, 3, 256])
def test_in_whatever_stretches_the_log_is_followed_each_entry_is_told_once(ledger: Ledger, stretch: int) -> None:
    early = webhook(ledger, "early")
    ledger.append([registered(number) for number in range(1, 6)])
    follow(ledger, stretch)
    webhook(ledger, "late", next_index=2, words="cylinder_registered")
    ledger.append([bound(number) for number in range(1, 6)])
    follow(ledger, stretch)
    assert len(told(ledger, "early")) == 10
    assert told(ledger, "late") == ["reg.3", "reg.4", "reg.5"]
    again = read_webhook(ledger.engine, early.webhook_id)
    assert again is not None
    assert change_webhook(ledger.engine, again, {"next_index": 0}, START)
    follow(ledger, stretch)
    assert len(told(ledger, "early")) == 10


def test_for_a_webhook_with_many_waiting_no_more_are_made_until_some_have_gone(ledger: Ledger) -> None:
    slow = webhook(ledger, "slow")
    ledger.append([registered(number) for number in range(1, MOST_WAITING + 400)])
    follow(ledger)
    waiting = waiting_of(ledger.engine)[slow.webhook_id]
    assert MOST_WAITING <= waiting < ledger.reader.size()
    rows = list_messages(ledger.engine, slow.webhook_id, None, None, 10_000)
    record_attempts(ledger.engine, [delivered(row.message.message_id, slow.webhook_id) for row in rows])
    follow(ledger)
    assert len(told(ledger, "slow")) == ledger.reader.size()


def delivered(message_id: str, webhook_id: str) -> Tried:
    return Tried(message_id, webhook_id, START, 204, "the receiver answered 204", True, None, 1, None, None)


def test_an_attempt_that_ended_late_takes_nothing_back(ledger: Ledger) -> None:
    hook = webhook(ledger, "1")
    ledger.append([registered(1)])
    follow(ledger)
    (row,) = list_messages(ledger.engine, hook.webhook_id, None, None, 10)
    name = row.message.message_id
    record_attempts(ledger.engine, [delivered(name, hook.webhook_id)])
    late = delivered(name, hook.webhook_id)._replace(accepted=False, due_at=START + 5, rests_until=START + 5)
    record_attempts(ledger.engine, [late])
    (row,) = list_messages(ledger.engine, hook.webhook_id, None, None, 10)
    assert (row.message.state, row.message.attempts, row.message.due_at) == ("delivered", 1, None)
    assert send_again(ledger.engine, hook.webhook_id, name, START + 9)
    assert not send_again(ledger.engine, "wh_other", name, START + 9)


def test_who_read_a_webhook_before_another_changed_it_changes_nothing(ledger: Ledger) -> None:
    row = webhook(ledger, "1")
    assert change_webhook(ledger.engine, row, {"url": "https://a.example/"}, START)
    assert not change_webhook(ledger.engine, row, {"url": "https://b.example/"}, START)
    now = read_webhook(ledger.engine, row.webhook_id)
    assert now is not None
    assert (now.url, now.version) == ("https://a.example/", 2)


def test_the_first_entry_since_an_instant_is_found(ledger: Ledger) -> None:
    ledger.append([registered(number) for number in range(1, 20)])
    ledger.append([bound(number) for number in range(1, 20)])
    entries = list(ledger.reader.all_entries())
    for at in (
        0,
        entries[0].recorded_at,
        entries[18].recorded_at,
        entries[19].recorded_at,
        entries[-1].recorded_at + 1,
    ):
        first = next((entry.index for entry in entries if entry.recorded_at >= at), len(entries))
        assert first_since(ledger.engine, at) == first


def test_of_several_processes_one_leads_until_it_lets_go(ledger: Ledger) -> None:
    first, second = Lead(ledger.engine, "test"), Lead(ledger.engine, "test")
    assert first.holds()
    assert first.holds()
    if ledger.engine.dialect.name == "postgresql":
        assert not second.holds()
        first.let_go()
        assert second.holds()
    second.let_go()
    first.let_go()
