"""An agent runs for months: what it needs no more it lets go of."""

import gc
import weakref

from cylinder_trace.admission import decide_fill
from cylinder_trace.decision import Decision, FillRequest
from cylinder_trace.events import FillDecided, Record, state_event
from station_agent.own_acts import OwnActs
from station_agent.permit import Permit, Permits
from vectors.admission.cases import base_case

CASE = base_case()
TARE_G = 16_500


def scan(number: int) -> tuple[FillRequest, Decision]:
    """One of many scans, and what was decided."""
    request = CASE.request.model_copy(update={"check_id": f"chk_{number}"})
    return request, decide_fill(request, CASE.cylinder, CASE.station, CASE.book, CASE.now)


def decided(number: int) -> Record:
    """Its record; each is about a cylinder of its own."""
    request, decision = scan(number)
    event = FillDecided(request=request, station=CASE.station, decision=decision, decided_by="station")
    return state_event(event, id=request.check_id, subject=f"cylinder/cyl_{number}", occurred_at=CASE.now, by="st_1")


def test_an_own_act_that_the_replica_holds_is_let_go_of_although_its_cylinder_never_comes_again() -> None:
    assert CASE.cylinder is not None
    acts, record, later = OwnActs(), decided(1), decided(2)
    gone, kept = weakref.ref(record), weakref.ref(later)
    acts.add(record)
    acts.add(later)
    acts.settle(record.id, 40)
    acts.settle(later.id, 50)
    del record, later
    assert acts.on_top_of(CASE.cylinder, 45) == (CASE.cylinder, ())
    assert gone() is None
    assert kept() is not None, "the replica does not reach that far"


def test_an_own_act_counts_until_the_replica_holds_it_also_where_the_service_had_recorded_it_first() -> None:
    assert CASE.cylinder is not None
    acts, record = OwnActs(), decided(1)
    cylinder = CASE.cylinder.model_copy(update={"cylinder_id": "cyl_1"})
    acts.add(record, 40)
    assert acts.on_top_of(cylinder, 40)[1] == (record.id,)
    acts.settle(record.id, 40)
    assert acts.on_top_of(cylinder, 41)[1] == ()
    assert acts.on_top_of(cylinder, 40)[1] == ()


def test_permits_that_nobody_used_and_that_were_given_long_ago_are_let_go_of() -> None:
    permits, before = Permits(CASE.request.boot_id), living_permits()
    for number in range(1_200):
        request, decision = scan(number)
        permits.issue(request, decision, TARE_G, now=number * 200_000)
    assert living_permits() == before + 1


def living_permits() -> int:
    return sum(isinstance(thing, Permit) for thing in gc.get_objects())
