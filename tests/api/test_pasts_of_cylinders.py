"""What a cylinder was at a moment: the same in whatever order one asks, however late its acts were told."""

import itertools

from api_house import House, new_id, now

from cylinder_api.acts.deciding_again import Pasts
from cylinder_trace import events
from cylinder_trace.cylinder import CylinderState, next_state
from cylinder_trace.events import Entry
from cylinder_trace.store.unit import Unit

HOUR_MS = 3_600_000


def as_it_was(entries: list[Entry], moment: int) -> CylinderState | None:
    """Folded anew from nothing."""
    state: CylinderState | None = None
    for entry in entries:
        if entry.occurred_at <= moment:
            state = next_state(state, entry.model_copy(update={"n": state.n if state else 0}), entry.event())
    return state


def test_a_past_is_the_same_in_whatever_order_its_moments_are_asked_for(one_house: House) -> None:
    bottle, here = one_house.new_bottle(), now()
    for hours_ago, flag in ((2, "black"), (5, "converted"), (1, "cloned"), (4, "recalled")):  # told late, and mixed
        flagged = events.Flagged(flag=flag, authority_id="au_1", cause="found")  # type: ignore[arg-type]
        one_house.append(bottle.subject, flagged, new_id("flag"), at=here - hours_ago * HOUR_MS)
    entries, moments = one_house.entries_of(bottle.subject), [here - hours * HOUR_MS for hours in (6, 4, 3, 0)]
    expected = {moment: as_it_was(entries, moment) for moment in moments}

    def ask(unit: Unit) -> None:
        state = unit.cylinder(bottle.cylinder_id)
        assert state is not None
        for order in itertools.permutations(moments):
            pasts = Pasts(unit)
            assert {moment: pasts.as_of(state, moment) for moment in order} == expected

    one_house.running.ledger.transact(ask)
    flags = [set(past.flags) for past in expected.values() if past]
    assert flags == [set(), {"converted", "recalled"}, {"converted", "recalled"}, set(flags[-1])]
    assert flags[-1] == {"black", "converted", "cloned", "recalled"}


def test_a_long_past_that_is_asked_for_backwards_is_the_same_and_read_once(one_house: House) -> None:
    bottle, begin = one_house.new_bottle(), now() - 300 * HOUR_MS
    for hours in range(150):
        event = events.Flagged(flag="black", authority_id="au_1", cause="found")
        cleared = events.FlagCleared(flag="black", authority_id="au_1", cause="in order")
        told = begin + (hours + 7 * (hours % 5)) * HOUR_MS  # not in the order in which they occurred
        one_house.append(bottle.subject, cleared if hours % 2 else event, at=told)
    entries = one_house.entries_of(bottle.subject)
    moments = [begin + hours * HOUR_MS for hours in range(200, 0, -9)]

    def ask(unit: Unit) -> None:
        state, pasts = unit.cylinder(bottle.cylinder_id), Pasts(unit)
        assert state is not None
        for moment in [*moments, *reversed(moments), *moments]:
            assert pasts.as_of(state, moment) == as_it_was(entries, moment), moment

    one_house.running.ledger.transact(ask)


def test_an_act_that_is_appended_meanwhile_belongs_to_the_past_from_then_on(one_house: House) -> None:
    bottle = one_house.new_bottle()

    def ask(unit: Unit) -> None:
        pasts, before = Pasts(unit), unit.cylinder(bottle.cylinder_id)
        assert before is not None
        assert pasts.as_of(before, unit.now) == before
        lost = events.ReportedLost(holder_id="co_1", cause="gone")
        unit.append(
            events.state_event(lost, id=new_id("lost"), subject=bottle.subject, occurred_at=unit.now, by="tests")
        )
        after = unit.cylinder(bottle.cylinder_id)
        assert after is not None
        assert pasts.as_of(after, unit.now) == after != before

    one_house.running.ledger.transact(ask)
