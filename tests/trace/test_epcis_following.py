"""The ledger's own life events stand in the EPCIS repository, each once, as they were told, on both homes."""

import json
from typing import Any

from sqlalchemy import delete, select, update

from cylinder_trace import events
from cylinder_trace.epcis.life import record_of
from cylinder_trace.events import Record, state_event
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.store.epcis.following import EpcisFollower
from cylinder_trace.store.epcis.writing import EVENT, TERM
from cylinder_trace.store.fleet.follower import Follower
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import EntryRow, FollowedRow
from ledgers.homes import START, bound, registered, returned, withdrawn

ENTRY = EntryRow.__table__  # type: ignore[attr-defined]
GRAI = "grai:09520001123450ZJ3301000001"
LINK = "https://id.gs1.org/8003/09520001123450ZJ3301000001"


def follower_of(ledger: Ledger) -> EpcisFollower:
    return EpcisFollower(ledger.engine, ledger.reader, lambda: START)


def stored(ledger: Ledger) -> list[dict[str, Any]]:
    """The rows of all events, the oldest first; `event` is the text as JSON."""
    with ledger.engine.connect() as connection:
        rows = connection.execute(select(EVENT).order_by(EVENT.c.seq))
        return [{**row._mapping, "event": json.loads(row.text)} for row in rows]


def correction(of: Record, cylinder: int) -> Record:
    event = events.Corrected(
        entry_id=of.id, entry_type=of.type, field="station_id", was="st_1", now="st_2", reason="misread",
        approver_id="account_2",
    )  # fmt: skip
    return state_event(event, id=f"fix.{of.id}", subject=f"cylinder/cyl_{cylinder}", occurred_at=START, by="account_1")


def test_each_entry_of_a_life_is_an_event_from_which_the_record_comes_back(ledger: Ledger) -> None:
    records = [registered(1), bound(1, GRAI), returned(1, "r1"), registered(2)]
    ledger.append(records)
    assert follower_of(ledger).complete(10) == 4
    rows = stored(ledger)
    assert [record_of(row["event"]) for row in rows] == records
    assert [row["seq"] for row in rows] == [1, 2, 3, 4]
    assert [(row["source"], row["capture_id"], row["log_index"]) for row in rows] == [
        ("ledger", None, index) for index in range(4)
    ]
    assert [row["biz_step"] for row in rows] == ["commissioning", "encoding", "collecting", "commissioning"]


def test_an_event_calls_the_cylinder_by_the_name_that_it_had_then_however_late_it_is_made(ledger: Ledger) -> None:
    ledger.append([registered(1), returned(1, "r1"), bound(1, "CODE1"), returned(1, "r2"), bound(1, GRAI)])
    follower_of(ledger).complete(10)
    names = [row["event"]["epcList"][0].rsplit("/", 1)[1] for row in stored(ledger)]
    assert names == ["cyl_1", "cyl_1", "CODE1", "CODE1", LINK.rsplit("/", 1)[1]]
    with ledger.engine.connect() as connection:
        found = connection.scalars(select(TERM.c.seq).where(TERM.c.name == "epc", TERM.c.value == LINK)).all()
    assert found == [5]


def test_a_registration_that_is_withdrawn_is_told_of_by_the_code_that_it_had(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1, "CODE1"), withdrawn(1), registered(2), bound(2, "CODE1")])
    follower = follower_of(ledger)
    follower.step(2)
    follower.complete(10)
    told = [row["event"] for row in stored(ledger)]
    names = [event["epcList"][0].rsplit("/", 1)[1] for event in told]
    assert (names[2], told[2]["bizStep"]) == ("CODE1", "decommissioning")


def test_it_makes_no_difference_in_which_steps_or_by_which_process_the_log_is_followed(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1, "CODE1"), returned(1, "r1")])
    one, other = follower_of(ledger), follower_of(ledger)
    one.step(1)
    other.step(2)
    ledger.append([bound(1, GRAI), returned(1, "r2"), returned(1, "r3")])
    other.step(1)
    one.step(2)
    assert (one.place(), other.step()) == (6, False)
    assert stored(ledger)[-1]["event"]["epcList"] == [LINK]
    assert [row["log_index"] for row in stored(ledger)] == list(range(6))


def test_a_correction_tells_the_wrong_event_once_more_with_the_declaration_that_it_is_in_error(ledger: Ledger) -> None:
    wrong = returned(1, "r1")
    ledger.append([registered(1), wrong, bound(1, GRAI), correction(wrong, 1)])
    follower_of(ledger).complete(10)
    rows = stored(ledger)
    declared, corrective = rows[3], rows[4]
    assert {**declared["event"], "errorDeclaration": None} == {**rows[1]["event"], "errorDeclaration": None}
    assert declared["event_id"] == rows[1]["event_id"]
    assert declared["error_time"] is not None
    assert declared["event"]["errorDeclaration"]["correctiveEventIDs"] == [corrective["event_id"]]


def test_what_is_told_again_after_the_place_was_lost_is_stored_once(ledger: Ledger) -> None:
    ledger.append([registered(1), bound(1), returned(1, "r1")])
    follower_of(ledger).complete(10)
    before = stored(ledger)
    with ledger.engine.begin() as connection:
        connection.execute(delete(FollowedRow.__table__))  # type: ignore[attr-defined]
    assert follower_of(ledger).complete(10) == 3
    assert stored(ledger) == before


def test_making_the_lists_anew_leaves_the_repositorys_place_alone(ledger: Ledger) -> None:
    ledger.append([registered(1)])
    follower_of(ledger).complete(10)
    Follower(ledger.engine, ledger.reader, "cn-default").rebuild()
    assert follower_of(ledger).place() == 1


def rewrite(ledger: Ledger, index: int, text: bytes, leaf: bytes) -> None:
    """Put another text in the place of an entry, past what keeps entries from being changed."""
    with ledger.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER entry_no_update")
        else:
            connection.exec_driver_sql("ALTER TABLE entry DISABLE TRIGGER ALL")
        row = update(ENTRY).where(ENTRY.c.log_index == index)
        connection.execute(row.values(text=text, hash=leaf, type="flown_away"))


def test_an_entry_of_a_newer_version_is_waited_for_and_one_that_was_changed_makes_no_event(ledger: Ledger) -> None:
    ledger.append([registered(1), returned(1, "r1"), returned(1, "r2")])
    entry = ledger.reader.entries(1, 1)[0]
    newer = entry.text.replace(b'"returned"', b'"flown_away"')
    rewrite(ledger, 1, newer, leaf_hash(newer))
    follower = follower_of(ledger)
    assert [follower.step(), follower.step()] == [1, 0]
    assert follower.complete(0.2) == 1
    with ledger.engine.begin() as connection:
        connection.execute(update(ENTRY).where(ENTRY.c.log_index == 1).values(hash=entry.hash))
    assert follower.complete(10) == 3
    assert [row["log_index"] for row in stored(ledger)] == [0, 2]


def test_the_time_of_recording_never_runs_backwards(ledger: Ledger) -> None:
    ledger.append([registered(1)])
    EpcisFollower(ledger.engine, ledger.reader, lambda: START + 1000).complete(10)
    ledger.append([registered(2)])
    EpcisFollower(ledger.engine, ledger.reader, lambda: START).complete(10)
    assert [row["record_time"] for row in stored(ledger)] == [START + 1000, START + 1000]


def test_a_step_whose_place_is_taken_by_another_writes_nothing(ledger: Ledger) -> None:
    ledger.append([registered(1), registered(2)])
    follower = follower_of(ledger)
    follower.step(1)
    with ledger.engine.begin() as connection:
        connection.execute(update(FollowedRow.__table__).values(value="2"))  # type: ignore[attr-defined]
    assert not follower.step()
    assert len(stored(ledger)) == 1
