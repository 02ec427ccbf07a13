"""The page about a cylinder's life is held to the fold, and the invariants that no other file holds."""

import json
import re
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cylinder_trace import events
from cylinder_trace.admission import decide_fill, max_net_g
from cylinder_trace.chain import EMPTY, next_head, seal
from cylinder_trace.cylinder import STATUS_ZH, CylinderState, InspectionState, StateError, Status, next_state, replay
from cylinder_trace.dates import DAY_MS, parse_month
from cylinder_trace.events import EVENT_CLASSES, Entry, Event, Stamp, parse_entry, state_event
from cylinder_trace.redecide import retake_decisions
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.rules.deadlines import due_month, life_end_month
from vectors.admission.cases import base_case, rulebook_text, variants

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/life-cycle.md").read_text("utf-8")
STORED = [
    entry
    for entry in (
        parse_entry(stored["text"].encode())
        for stored in json.loads((ROOT / "tests/vectors/entries.json").read_text("utf-8"))["entries"]
    )
    if entry.subject.startswith("cylinder/")
]
LIVING: tuple[Status, ...] = ("made", "empty", "filled", "in_delivery", "at_customer", "in_inspection")
TOLD_BY_STATIONS = {"prefill_checked", "fill_decided", "fill_started", "filled", "postfill_checked", "reweighed"}
laws = settings(max_examples=150, deadline=None)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0]


def rows(title: str, word: str = r"`(\w+)`") -> list[tuple[str, ...]]:
    return re.findall(rf"^\| {word} \| (.*?) \| (.*?) \| (.*?) \|$", section(title), re.MULTILINE)


def statuses(text: str) -> set[str]:
    """The statuses that a cell of the page names."""
    if text.startswith("every status but "):
        return {status for status in STATUS_ZH if status != text.removeprefix("every status but ")}
    return {status for name in text.split(", ") for status in (LIVING if name == "living" else (name,))}


EVERY_ROW = rows("Every transition")
MOVES = {word: (statuses(start), to) for word, _zh, start, to in EVERY_ROW[:-3]}
REFUSED = {word: statuses(where) for word, _zh, where, _why in EVERY_ROW[-3:]}


def expected(status: Status, word: str) -> str:
    """What the page says becomes of a cylinder in `status` by an event."""
    if status in REFUSED.get(word, ()):
        return "refused"
    if status == "withdrawn" and word not in TOLD_BY_STATIONS and not word.startswith("dispute_"):
        return "refused"
    start, to = MOVES.get(word, (set(), ""))
    return to if status in start else status


def ready(status: Status, event: Event) -> CylinderState:
    """A cylinder in `status` of which nothing but the status can forbid what the event says."""
    cylinder = base_case().cylinder
    assert cylinder is not None
    given: dict[str, Any] = {"status": status, "status_since": 0, "registration_no": None, "inspection": None}
    if isinstance(event, events.RetagApproved):
        given["retags"] = {event.request_id: event.old_code}
    if isinstance(event, events.RetagRefused):
        given["retags"] = {event.request_id: "an old code"}
    if isinstance(event, events.OwnershipTransferred):
        given["owner_id"] = event.from_owner_id
    return cylinder.model_copy(update=given)


def becomes(state: CylinderState, entry: Entry, event: Event) -> str:
    try:
        return next_state(state, entry.model_copy(update={"n": state.n}), event).status
    except StateError:
        return "refused"


# --- the page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUS_ZH)
def test_the_page_says_what_every_stored_event_does_to_a_cylinder_in_every_status(status: Status) -> None:
    for entry in STORED:
        event = entry.event()
        assert becomes(ready(status, event), entry, event) == expected(status, entry.type), entry.type


def built(kind: Any) -> Any:
    """An event of a kind that no cylinder has; what it would say does not matter."""
    return kind.model_construct()


def test_every_event_of_a_cylinder_is_asked() -> None:
    asked = {entry.type for entry in STORED}
    assert asked >= MOVES.keys()
    state = ready("empty", STORED[0].event())
    for word in EVENT_CLASSES.keys() - asked:
        entry = STORED[0].model_copy(update={"type": word})
        with pytest.raises(StateError, match="is not an event of a cylinder"):
            next_state(state, entry, built(EVENT_CLASSES[word]))


def test_a_life_begins_as_the_page_says() -> None:
    for entry in STORED:
        try:
            state = next_state(None, entry.model_copy(update={"n": 0}), entry.event())
        except StateError:
            assert "nothing" not in MOVES.get(entry.type, (set(), ""))[0]
        else:
            start, to = MOVES[entry.type]
            assert "nothing" in start
            assert state.status == to


@pytest.mark.parametrize("entry", STORED, ids=lambda entry: f"{entry.type}-{entry.id}")
def test_a_movement_told_late_moves_nothing_and_an_end_holds_however_late(entry: Entry) -> None:
    event = entry.event()
    for status in LIVING:
        state = ready(status, event).model_copy(update={"status_since": entry.at + 1})
        to = expected(status, entry.type)
        late = to if to in ("condemned", "cancelled", "destroyed", "refused") else status
        if isinstance(event, events.CylinderRegistered | events.RegistrationWithdrawn):
            late = to
        assert becomes(state, entry, event) == late, (status, entry.type)


def test_the_page_lists_every_status_with_its_chinese_word_and_every_arrow_is_a_transition() -> None:
    assert {word: zh for word, zh, _meaning, _filled in rows("Where it can be")} == STATUS_ZH
    arrows = re.findall(r"^    (\S+) --> (\S+): (.*)$", PAGE, re.MULTILINE)
    assert len(arrows) > 15
    for start, to, words in arrows:
        for word in words.split(", "):
            assert to == MOVES[word][1]
            assert start.replace("[*]", "nothing") in MOVES[word][0]


def test_each_invariant_names_tests_that_exist() -> None:
    held = section("The ten invariants")
    assert re.findall(r"^\| (\d+) \|", held, re.MULTILINE) == [str(number) for number in range(1, 11)]
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", held)
    assert len(named) > 9
    for file, test in named:
        found = list((ROOT / "tests").glob(f"*/{file}"))
        assert found, file
        assert f"def {test}(" in found[0].read_text("utf-8"), test


# --- invariants -----------------------------------------------------------------------------------------------

GOOD = base_case()
assert GOOD.cylinder is not None
CYLINDER: CylinderState = GOOD.cylinder
DAYS = [GOOD.now - day * DAY_MS for day in range(40, 0, -1)]
BOOKS = [parse_rulebook(rulebook_text(name)) for name in ("cn-default", "cn-zhejiang", "cn-shandong", *variants())]
MONTHS = st.dates(max_value=date(9998, 12, 31)).map(lambda day: f"{day:%Y-%m}".rjust(7, "0"))
STAMPS = st.builds(
    Stamp, maker=st.just("m"), serial=st.just("A1"), model=st.sampled_from(["YSP35.5", "YSP118", "other"]),
    manufactured_month=st.none() | MONTHS, tare_g=st.integers(1, 60_000), water_volume_ml=st.integers(1, 200_000),
    max_fill_g=st.integers(0, 90_000), design_life_months=st.none() | st.integers(0, 400),
)  # fmt: skip
INSPECTIONS = st.builds(
    InspectionState, inspected_month=MONTHS, next_due_month=st.none() | MONTHS, recorded_on=st.just("2026-11-01"),
    result=st.sampled_from(["passed", "failed"]),
)  # fmt: skip


@laws
@given(STAMPS, st.none() | INSPECTIONS, st.none() | MONTHS, st.sampled_from(BOOKS))
def test_no_cylinder_is_due_later_than_its_service_life_ends(
    stamp: Stamp, inspection: InspectionState | None, evaluated_until: str | None, book: Any
) -> None:
    facts = {"stamp": stamp, "inspection": inspection, "evaluated_until": evaluated_until}
    cylinder = CYLINDER.model_copy(update=facts)
    due, end = due_month(cylinder, book), life_end_month(cylinder, book)
    assert end is None or (due is not None and due <= end)
    if stamp.manufactured_month and evaluated_until:
        assert end is not None
        assert not stamp.design_life_months or end <= parse_month(evaluated_until)


@laws
@given(STAMPS, st.sampled_from(BOOKS))
def test_an_admission_never_allows_more_than_the_least_of_all_limits(stamp: Stamp, book: Any) -> None:
    cylinder = CYLINDER.model_copy(update={"stamp": stamp})
    decision = decide_fill(GOOD.request, cylinder, GOOD.station, book, GOOD.now)
    assert max_net_g(cylinder, book) <= min(
        stamp.max_fill_g, book.fill.coefficient_g_per_l * stamp.water_volume_ml // 1_000
    )
    if decision.permits:
        assert decision.max_net_g == max_net_g(cylinder, book)
        assert decision.target_net_g is not None
        assert decision.target_net_g <= decision.max_net_g


HANDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.booleans(), st.sampled_from([None, "entrusted", "supply_contract"]),
    ),
    max_size=6,
)  # fmt: skip


@laws
@given(HANDS, st.randoms(use_true_random=False))
def test_a_right_to_fill_comes_with_both_signatures_and_goes_with_the_cylinder(hands: list[Any], dice: Any) -> None:
    told = list(enumerate(hands))
    dice.shuffle(told)
    life = Life()
    for day, (holder, cosigned, basis) in told:
        handed = events.HandedOver(from_holder_id="z", to_holder_id=holder, cosigned=cosigned, basis=basis)
        life.add(handed, DAYS[day], recorded_at=DAYS[-1])
    state = life.state
    holder, cosigned, basis = hands[-1] if hands else (None, False, None)
    assert (state.custodian_id, state.custody_basis) == (holder, basis if cosigned else None)


def decided(check_id: str, at: int, cylinder: CylinderState) -> events.FillDecided:
    request = GOOD.request.model_copy(update={"check_id": check_id, "requested_at": at, "code": cylinder.codes[0]})
    station = GOOD.station.model_copy(update={"data_as_of": at})
    decision = decide_fill(request, cylinder, station, GOOD.book, at)
    return events.FillDecided(request=request, station=station, decision=decision, decided_by="service")


def filled(check_id: str, at: int) -> events.Filled:
    return events.Filled(
        check_id=check_id, station_id="station-1", scale_id="scale-1", lane=1, worker_id="worker-1", started_at=at,
        ended_at=at, empty_gross_g=16_600, full_gross_g=31_000, net_g=14_500, ended_because="limit_reached",
    )  # fmt: skip


ACTS: dict[str, Event] = {
    "return": events.Returned(station_id="station-1"),
    "sale": events.Sold(
        order_no="o", point_id="p", worker_id="w", customer_id="c", identity_commitment="ab" * 32,
        safety_check_passed=True,
    ),
    "leave": events.LeftStation(station_id="station-1", worker_id="w"),
    "send": events.SentToInspection(body_id="body-1"),
    "inspect": events.Inspected(body_id="body-1", inspected_month="2026-10", result="passed", report_no="R"),
    "flag": events.Flagged(flag="black", authority_id="authority-1", cause="found"),
    "clear": events.FlagCleared(flag="black", authority_id="authority-1", cause="checked"),
    "recall": events.Recalled(recall_id="r", cause="valve"),
    "lift": events.RecallLifted(recall_id="r", cause="mended"),
    "condemn": events.Condemned(body_id="body-1", cause="wall too thin"),
}  # fmt: skip
STEPS = st.lists(st.sampled_from(["fill", "fill", "fill", "return", "return", *ACTS]), max_size=14)
REGISTERED_BY_NOBODY = events.CylinderRegistered(stamp=CYLINDER.stamp, owner_id="company-1", in_service_on="2022-06-01")
"""On file, and not yet registered for use."""
BEGINNING: tuple[Event, ...] = (
    events.CylinderRegistered(
        stamp=CYLINDER.stamp, owner_id="company-1", registration_no="E-1", in_service_on="2022-06-01"
    ),
    events.CodeBound(code=CYLINDER.codes[0]),
    events.Inspected(body_id="body-1", inspected_month="2026-05", result="passed", report_no="R-1"),
)


class Life:
    """A cylinder's chain as the service would write it: each scan decided from what the chain says by then."""

    def __init__(self, *, registered: bool = True) -> None:
        self.entries: list[Entry] = []
        self.texts: list[bytes] = []
        self._head = EMPTY
        self._heads = [EMPTY]
        self._days = iter(DAYS)
        for event in BEGINNING if registered else (REGISTERED_BY_NOBODY,):
            self.add(event, DAYS[0] - DAY_MS)

    def take_back(self) -> None:
        """The ledger refused the last one."""
        self.entries.pop()
        self.texts.pop()
        self._head = self._heads.pop()

    def add(self, event: Event, at: int, id: str = "", recorded_at: int = 0) -> None:
        record = state_event(
            event, id=id or f"act-{len(self.entries)}", subject="cylinder/cyl_1", occurred_at=at, by="account-1"
        )
        sealed = seal(record, self._head, max(at, recorded_at))
        self.entries.append(sealed.entry)
        self.texts.append(sealed.text)
        self._heads.append(self._head)
        self._head = next_head(sealed)

    @property
    def state(self) -> CylinderState:
        state = replay(self.entries)
        assert state is not None
        return state

    def live(self, steps: list[str]) -> None:
        """Go through `steps`, a day each; at "fill" gas flows if it is admitted."""
        for step, at in zip(steps, self._days, strict=False):
            if step != "fill":
                self.add(ACTS[step], at)
                continue
            event = decided(f"check-{at}", at, self.state)
            self.add(event, at, event.request.check_id)
            if event.decision.permits:
                self.add(filled(event.request.check_id, at + 1), at + 1)


@laws
@given(STEPS)
def test_two_fills_are_never_admitted_without_a_return_or_an_inspection_between(steps: list[str]) -> None:
    life = Life()
    life.live(steps)
    words = [entry.type for entry in life.entries if entry.type in ("filled", "returned", "inspected")]
    assert all(pair != ("filled", "filled") for pair in pairwise(words))


def log(life: Life) -> list[bytes]:
    published = events.RulebookPublished(rulebook_id="cn-default", version="v", text=GOOD.book_text)
    book = state_event(published, id="book", subject="rulebook/cn-default", occurred_at=0, by="authority-1")
    return [seal(book, EMPTY, 0).text, *life.texts]


@laws
@given(STEPS, STEPS)
def test_every_decision_of_a_life_replays_bit_for_bit_and_no_later_fact_changes_it(
    steps: list[str], later: list[str]
) -> None:
    life = Life()
    life.live(steps)
    early = [retaken.stored for retaken in retake_decisions(lambda: log(life))]
    assume(early)
    life.live(later)
    retaken = list(retake_decisions(lambda: log(life)))
    assert all(decision.same for decision in retaken)
    assert [decision.again for decision in retaken][: len(early)] == early


REGISTERINGS = st.lists(
    st.sampled_from(["EXAMPLE-1", "EXAMPLE-2", "cancel", "return", "condemn", "withdraw"]), max_size=8
)


def use_registered(number: str) -> events.UseRegistered:
    return events.UseRegistered(registration_no=number, authority_id="authority-1", registered_on="2026-10-13")


@laws
@given(REGISTERINGS)
def test_a_cylinder_never_has_two_live_registrations_and_none_after_it_was_cancelled(told: list[str]) -> None:
    acts: dict[str, Event] = {
        "cancel": events.RegistrationCancelled(authority_id="authority-1", receipt_no="C-1", cause="报废"),
        "return": ACTS["return"],
        "condemn": ACTS["condemn"],
        "withdraw": events.RegistrationWithdrawn(import_id="i-1", company_id="company-1", cause="by mistake"),
    }
    life = Life(registered=False)
    accepted: list[str] = []
    for step, at in zip(told, DAYS, strict=False):
        try:
            life.add(acts.get(step) or use_registered(step), at)
            assert life.state.n == len(life.entries)
        except StateError:
            life.take_back()
            continue
        accepted.append(step)
    numbers = {step for step in accepted if step.startswith("EXAMPLE")}
    assert {life.state.registration_no} - {None} == numbers
    assert len(numbers) <= 1
    if "cancel" in accepted:
        assert life.state.status in ("cancelled", "withdrawn")


@laws
@given(st.lists(st.tuples(*[st.text("XYZ", min_size=12, max_size=20)] * 4), min_size=1, max_size=3), STEPS)
def test_what_anybody_may_read_of_a_cylinder_holds_nothing_of_who_bought_its_gas(
    buyers: list[tuple[str, str, str, str]], steps: list[str]
) -> None:
    life = Life()
    for (order, point, worker, customer), at in zip(buyers, DAYS, strict=False):
        sold = events.Sold(
            order_no=order, point_id=point, worker_id=worker, customer_id=customer, identity_commitment="9f" * 32,
            safety_check_passed=True,
        )  # fmt: skip
        life.add(sold, at)
    life.live(steps)
    shown = life.state.model_dump_json()
    assert not [value for buyer in buyers for value in (*buyer, "9f" * 32) if value in shown]
