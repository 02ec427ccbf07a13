"""Two stations upload, people act online: in whatever order the ledger hears of it, it ends in the same state."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cylinder_trace import events
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import EMPTY, next_head, seal
from cylinder_trace.cylinder import CylinderState, replay
from cylinder_trace.dates import DAY_MS, format_day, local_day
from cylinder_trace.events import Entry, Event, parse_entry, state_event
from cylinder_trace.station import StationState
from cylinder_trace.subjects import SubjectState, format_state, next_subject_state
from vectors.admission.cases import base_case

GOOD = base_case()
assert GOOD.cylinder is not None
STAMP = GOOD.cylinder.stamp
T0 = GOOD.now - 400 * DAY_MS
HEARD_FROM = GOOD.now - 30 * DAY_MS
"""By then everything has occurred; the ledger hears of it from now on, in one order or another."""
S = "ab" * 32
laws = settings(max_examples=150, deadline=None)


class Told(NamedTuple):
    """Something that an author will tell the ledger, and when it occurred."""

    author: str
    event: Event
    occurred_at: int


def month(at: int) -> str:
    return format_day(local_day(at))[:7]


def decided(station_id: str, at: int) -> Event:
    request = GOOD.request.model_copy(update={"station_id": station_id, "requested_at": at, "check_id": f"check-{at}"})
    decision = decide_fill(request, GOOD.cylinder, GOOD.station, GOOD.book, at)
    return events.FillDecided(request=request, station=GOOD.station, decision=decision, decided_by="station")


def filled(station_id: str, at: int) -> Event:
    return events.Filled(
        check_id=f"check-{at}", station_id=station_id, scale_id="scale-1", lane=1, worker_id="worker-1", started_at=at,
        ended_at=at, empty_gross_g=16_600, full_gross_g=31_000, net_g=9_000 + at % 4_000, ended_because="stopped",
    )  # fmt: skip


def started(station_id: str, at: int) -> Event:
    return events.FillStarted(
        check_id=f"check-{at}", station_id=station_id, scale_id="scale-1", lane=1, worker_id="worker-1", empty_gross_g=1
    )


STATION_ACTS: Sequence[Any] = (
    decided,
    filled,
    started,
    lambda station, at: events.Returned(station_id=station),
    lambda station, at: events.LeftStation(station_id=station, worker_id="worker-2"),
    lambda station, at: events.DisputeRaised(about_id="check-1", kind="outcomes_differ", message="two accounts"),
)
SENT = events.SentToInspection(body_id="body-1")


def inspected(result: Any, at: int) -> Event:
    return events.Inspected(body_id="body-1", inspected_month=month(at), result=result, report_no="R-1")


def valve(at: int) -> Event:
    return events.ValveChanged(body_id="body-1", maker="示例阀门单位", serial=f"V-{at}", made_month="2025-01")


SOLD = events.Sold(
    order_no="order-1", point_id="point-1", worker_id="worker-2", customer_id="customer-1", identity_commitment=S,
    safety_check_passed=True,
)  # fmt: skip
PEOPLE_ACTS: dict[str, Sequence[Any]] = {
    "delivery": (
        lambda at: SOLD,
        lambda at: events.HandedOver(from_holder_id="company-1", to_holder_id=f"holder-{at % 3}", cosigned=True),
    ),
    "body": (
        lambda at: inspected("passed", at),
        lambda at: inspected("failed", at),
        valve,
        lambda at: events.Evaluated(body_id="body-1", passed=at % 2 == 0, valid_until_month="2034-05", report_no="E"),
    ),
    "regulator": (
        lambda at: events.Flagged(flag="recalled", authority_id="authority-1", cause="batch"),
        lambda at: events.FlagCleared(flag="recalled", authority_id="authority-1", cause="checked"),
        lambda at: events.Flagged(flag="black", authority_id="authority-1", cause="found"),
        lambda at: events.Seized(authority_id="authority-1", document_no="1", cause="found"),
        lambda at: events.Released(authority_id="authority-1", document_no="2", cause="checked"),
        lambda at: events.CodeVoided(code=f"code-{at % 3}", cause="label lost"),
    ),
    "company": (
        lambda at: events.CodeBound(code=f"code-{at % 3}"),
        lambda at: events.ReportedLost(holder_id="company-1", cause="gone"),
        lambda at: events.Found(holder_id="company-1", cause="there"),
        lambda at: events.UseRegistered(registration_no="U-1", authority_id="authority-1", registered_on="2026-01-01"),
    ),
    "maker": (
        lambda at: events.Recalled(recall_id=f"recall-{at % 2}", cause="valve"),
        lambda at: events.RecallLifted(recall_id=f"recall-{at % 2}", cause="mended"),
    ),
}
ENDS: Sequence[Event] = (
    events.Condemned(body_id="body-1", cause="wall too thin"),
    events.Destroyed(body_id="body-1", method="cut", evidence_sha256=(S,)),
    events.RegistrationCancelled(authority_id="authority-1", receipt_no="C-1", cause="scrapped"),
)


@st.composite
def stories(draw: st.DrawFn, *, inspections: bool = True) -> list[Told]:
    """What two stations and five people will tell, each in an order of its own; no two things at one moment.

    With inspections all fall on days of their own, because an inspection knows its day and no more.
    """
    step = DAY_MS if inspections else 1
    days = draw(st.lists(st.integers(0, 300), max_size=14, unique=True))
    return [draw(_told(T0 + day * step, inspections)) for day in days]


@st.composite
def _told(draw: st.DrawFn, at: int, inspections: bool) -> Told:
    author = draw(st.sampled_from(["station-1", "station-2", *PEOPLE_ACTS]))
    if draw(st.integers(0, 15)) == 0:
        return Told("body", draw(st.sampled_from(ENDS)), at)
    if author in PEOPLE_ACTS:
        acts = PEOPLE_ACTS[author][0 if inspections else 2 :] if author == "body" else PEOPLE_ACTS[author]
        return Told(author, draw(st.sampled_from(acts))(at), at)
    if inspections and draw(st.integers(0, 4)) == 0:
        return Told(author, SENT, at)
    return Told(author, draw(st.sampled_from(STATION_ACTS))(author, at), at)


def interleaved(story: Sequence[Told], seed: int) -> list[Told]:
    """One way in which the authors' uploads and acts may reach the ledger; each author's own order is kept."""
    dice = random.Random(seed)
    authors = [told.author for told in story]
    dice.shuffle(authors)
    waiting = {author: [told for told in story if told.author == author] for author in authors}
    return [waiting[author].pop(0) for author in authors]


def chain(told: Sequence[Told], subject: str = "cylinder/cyl_1") -> list[Entry]:
    entries, head = [], EMPTY
    for number, item in enumerate(told):
        record = state_event(
            item.event, id=f"act-{number}", subject=subject, occurred_at=item.occurred_at, by=item.author
        )
        sealed = seal(record, head, HEARD_FROM + number)
        entries.append(sealed.entry)
        head = next_head(sealed)
    return entries


REGISTERED = Told(
    "company", events.CylinderRegistered(stamp=STAMP, owner_id="company-1", in_service_on="2022-06-01"), T0 - DAY_MS
)


def life(story: Sequence[Told]) -> CylinderState:
    state = replay(chain([REGISTERED, *story]))
    assert state is not None
    return state


def facts(state: CylinderState) -> dict[str, Any]:
    """All that does not depend on the order of recording, as the docstring of ``cylinder`` says it."""
    told = dict(state)
    by_nature = {"transferred_on": 0, "unapproved_codes": None}
    return {**told, "codes": sorted(set(state.codes)), "voided_codes": sorted(state.voided_codes), **by_nature}


def refusals(state: CylinderState) -> tuple[str, ...]:
    return decide_fill(GOOD.request, state, GOOD.station, GOOD.book, GOOD.now).codes


ANY_ACT = [
    *(
        (station, lambda at, act=act, station=station: act(station, at))
        for act in STATION_ACTS
        for station in ("s1", "s2")
    ),
    ("s1", lambda at: SENT),
    *((author, act) for author, acts in PEOPLE_ACTS.items() for act in acts),
    *(("body", lambda at, end=end: end) for end in ENDS),
]
"""Everything of above, as (author, moment → event)."""


@pytest.mark.parametrize("first", range(len(ANY_ACT)))
def test_of_any_two_acts_the_one_that_occurred_last_holds_whichever_is_told_first(first: int) -> None:
    author, act = ANY_ACT[first]
    one = Told(author, act(T0), T0)
    for other, follow in ANY_ACT:
        two = Told(other, follow(T0 + 3 * DAY_MS), T0 + 3 * DAY_MS)
        assert facts(life([one, two])) == facts(life([two, one])), f"{one.event.type} {two.event.type}"


@laws
@given(stories(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_any_interleaving_of_uploads_and_online_acts_ends_in_the_same_state(
    story: list[Told], one: int, other: int
) -> None:
    here, there = life(interleaved(story, one)), life(interleaved(story, other))
    assert facts(here) == facts(there)
    assert refusals(here) == refusals(there)


@laws
@given(stories(inspections=False), st.integers(0, 2**32), st.integers(0, 2**32))
def test_a_millisecond_is_enough_to_tell_what_came_last(story: list[Told], one: int, other: int) -> None:
    assert facts(life(interleaved(story, one))) == facts(life(interleaved(story, other)))


@laws
@given(stories(), st.integers(0, 2**32))
def test_late_uploads_end_where_telling_everything_at_once_would_have_ended(story: list[Told], seed: int) -> None:
    in_time = sorted(story, key=lambda told: told.occurred_at)
    assert facts(life(interleaved(story, seed))) == facts(life(in_time))


@laws
@given(stories(), st.sampled_from(ENDS), st.integers(0, 300), st.integers(0, 2**32))
def test_an_end_absorbs_whatever_is_told_before_or_after_it(story: list[Told], end: Event, day: int, seed: int) -> None:
    state = life(interleaved([*story, Told("body", end, T0 + day * DAY_MS + 1)], seed))
    assert state.status in ("condemned", "cancelled", "destroyed")
    assert "R30" in refusals(state)


@laws
@given(stories(), st.integers(0, 2**32), st.integers(0, 20))
def test_a_life_replayed_from_any_stored_state_is_the_same_life(story: list[Told], seed: int, cut: int) -> None:
    entries = chain([REGISTERED, *interleaved(story, seed)])
    state: SubjectState | None = replay(entries[:cut])
    if state is not None:
        state = CylinderState.model_validate_json(state.model_dump_json(exclude_none=True))
    for entry in entries[cut:]:
        state = next_subject_state(state, entry, entry.event())
    assert state == replay(entries)


# --- owners change one after the other ----------------------------------------------------------------------


@laws
@given(stories(), st.lists(st.integers(0, 300), max_size=4), st.integers(0, 2**32))
def test_a_cylinder_has_one_owner_and_one_custodian_however_it_is_told(
    story: list[Told], days: list[int], seed: int
) -> None:
    sales = [
        Told("registry", events.OwnershipTransferred(from_owner_id=old, to_owner_id=new, cosigned=True), T0 + day)
        for day, old, new in zip(days, ["company-1", "b", "c", "d"], ["b", "c", "d", "e"], strict=False)
    ]
    handed = [told for told in story if isinstance(told.event, events.HandedOver)]
    state = life(interleaved([*story, *sales], seed))
    assert state.owner_id == ["company-1", "b", "c", "d", "e"][len(sales)]
    last = max(handed, key=lambda told: told.occurred_at, default=None)
    assert state.custodian_id == (last.event.to_holder_id if last else None)  # type: ignore[union-attr]


# --- stations -----------------------------------------------------------------------------------------------

SCALES = st.sampled_from(["scale-1", "scale-2"])
DAYS = st.sampled_from(["2027-12-31", "2028-12-31", "2029-12-31"])
OF_A_STATION = st.one_of(
    st.builds(
        events.StationLicensed,
        company_id=st.just("company-1"),
        licence_no=st.just("L"),
        valid_until=DAYS,
        suspended=st.booleans(),
        region=st.just("330000"),
    ),
    st.builds(events.ScaleVerified, scale_id=SCALES, valid_until=DAYS),
    st.builds(events.ScaleLocked, scale_id=SCALES, authority_id=st.just("authority-1"), cause=st.just("check")),
    st.builds(events.ScaleUnlocked, scale_id=SCALES, authority_id=st.just("authority-1"), cause=st.just("checked")),
    st.builds(events.WorkerCertified, worker_id=st.sampled_from(["worker-1", "worker-2"]), valid_until=DAYS),
)


def station(story: Sequence[Told]) -> StationState | None:
    state: SubjectState | None = None
    for entry in chain(story, "station/station-1"):
        state = next_subject_state(state, entry, entry.event())
    assert state is None or isinstance(state, StationState)
    return state


@laws
@given(st.lists(st.tuples(OF_A_STATION, st.integers(0, 500)), max_size=10, unique_by=lambda told: told[1]), st.data())
def test_what_a_station_may_do_follows_from_what_was_stated_last_not_from_what_was_told_last(
    said: list[tuple[Event, int]], data: st.DataObject
) -> None:
    story = [Told("authority-1", event, T0 + at) for event, at in said]
    assert station(data.draw(st.permutations(story))) == station(sorted(story, key=lambda told: told.occurred_at))


# --- what lies in databases already ---------------------------------------------------------------------------

LIVES = json.loads((Path(__file__).parents[1] / "vectors/states.json").read_text("utf-8"))["lives"]


@pytest.mark.parametrize("stored", LIVES, ids=lambda stored: str(stored["life"]))
def test_the_read_model_of_an_old_history_stays_what_it_was(stored: dict[str, Any]) -> None:
    state = replay(parse_entry(text.encode()) for text in stored["entries"])
    assert state is not None
    assert format_state(state) == stored["state"]
