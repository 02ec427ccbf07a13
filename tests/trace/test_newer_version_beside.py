"""While an upgrade runs, a newer version writes what this one does not know: that is left alone, and nobody waits."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine, text

from cylinder_trace.merkle import leaf_hash
from cylinder_trace.store.fleet.follower import Follower
from cylinder_trace.store.fleet.place import read_followed
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.understood import NotUnderstood
from cylinder_trace.store.unit import Unit, hints_for
from cylinder_trace.suite import SHA256
from ledgers.homes import registered, returned


def as_a_newer_version_would(ledger: Ledger, number: int, *, honest: bool = True) -> int:
    """A new kind of event in a cylinder's chain, and a new field in its state; the entry's index."""
    receipt = ledger.append([returned(number, f"newer.{number}")])[0]
    rewrite(ledger.engine, receipt.index, honest=honest)
    state = ledger.reader.read_model()[f"cylinder/cyl_{number}"]
    newer = json.dumps({**json.loads(state), "sensor_ids": ["s1"]})
    run(ledger.engine, "UPDATE subject_now SET state = :state WHERE subject = :subject",
        state=newer, subject=f"cylinder/cyl_{number}")  # fmt: skip
    ledger._memory = None
    return receipt.index


def rewrite(engine: Engine, index: int, *, honest: bool) -> None:
    """Make an entry one of a type that nobody here knows; `honest`: hashed as a newer version would have."""
    switch(engine, on=False)
    with engine.connect() as connection:
        before = bytes(connection.scalar(text("SELECT text FROM entry WHERE log_index = :at"), {"at": index}) or b"")
    after = before.replace(b'"type":"returned"', b'"type":"sensed"')
    assert after != before
    run(engine, "UPDATE entry SET text = :text, type = 'sensed' WHERE log_index = :at", text=after, at=index)
    if honest:
        run(engine, "UPDATE entry SET hash = :hash WHERE log_index = :at", hash=leaf_hash(after, SHA256), at=index)
    switch(engine, on=True)


def switch(engine: Engine, *, on: bool) -> None:
    """The guards that keep entries from being changed."""
    if engine.dialect.name == "postgresql":
        run(engine, f"ALTER TABLE entry {'ENABLE' if on else 'DISABLE'} TRIGGER ALL")
    elif not on:
        run(engine, "DROP TRIGGER entry_no_update")


def run(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def test_a_state_that_a_newer_version_wrote_stops_its_own_caller_and_no_neighbour(ledger: Ledger) -> None:
    ledger.append([registered(1), registered(2)])
    as_a_newer_version_would(ledger, 1)
    size = ledger.reader.size()
    with pytest.raises(NotUnderstood, match="cylinder/cyl_1 was written by a newer version of this service; try again"):
        ledger.append([returned(1, "r1")])
    records = [returned(1, "r1"), returned(2, "r2")]

    def neighbours(unit: Unit) -> int:
        return unit.append(returned(2, "r2")).index

    assert ledger.transact(neighbours, hints_for(records)) == size
    assert ledger.reader.size() == size + 1
    with pytest.raises(NotUnderstood, match="cylinder/cyl_1"):
        ledger.reader.state("cylinder/cyl_1")


def test_the_lists_wait_before_an_entry_that_only_a_newer_version_knows(ledger: Ledger) -> None:
    follower = Follower(ledger.engine, ledger.reader, "cn-default")
    ledger.append([registered(1), registered(2)])
    index = as_a_newer_version_would(ledger, 1)
    ledger.append([returned(2, "r2")])
    assert follower.step() == index
    with pytest.raises(NotUnderstood):
        follower.step()
    with ledger.engine.connect() as connection:
        assert read_followed(connection).place.size == index


def test_an_entry_that_was_changed_behind_our_back_does_not_stop_the_lists(ledger: Ledger) -> None:
    follower = Follower(ledger.engine, ledger.reader, "cn-default")
    ledger.append([registered(1), registered(2)])
    as_a_newer_version_would(ledger, 1, honest=False)
    ledger.append([returned(2, "r2")])
    assert follower.catch_up() == 4


def test_what_is_sent_again_is_known_again_although_its_chain_went_on_without_us(ledger: Ledger) -> None:
    ledger.append([registered(1), returned(1, "r1")])
    as_a_newer_version_would(ledger, 1)
    again = ledger.append([returned(1, "r1")])[0]
    assert (again.index, again.replayed) == (1, True)
