"""The service decides as the shared vectors say: the facts are recorded as events, and the scan is asked over HTTP."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from api_house import House
from vector_history import can_be_told, told_of_cylinder, told_of_lot, told_of_station

from cylinder_api.acts.enrolment import grant
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import new_cylinder_id
from cylinder_trace import events
from cylinder_trace.events import Event, state_event
from cylinder_trace.store.unit import Unit
from vectors.admission.cases import Case, load_cases, readable

CASES = sorted((case for case in load_cases() if can_be_told(case)), key=lambda case: case.now)
"""In the order of their moments, because a ledger's clock never runs back."""
_TAG = TagKey("tests", bytes(32))


@dataclass
class Clock:
    """A clock that is set."""

    now: int = CASES[0].now

    def __call__(self) -> int:
        return self.now


@dataclass
class Houses:
    """A service for each rulebook, made when it is first asked for."""

    folder: Path
    stack: ExitStack
    made: dict[str, tuple[House, Clock, httpx.Client]] = field(default_factory=dict)

    def for_book(self, case: Case) -> tuple[House, Clock, httpx.Client]:
        if case.book.rulebook_id not in self.made:
            clock = Clock()
            house = House(self.folder / case.book.rulebook_id, clock=clock, rulebook=case.book_text)
            self.made[case.book.rulebook_id] = (self.stack.enter_context(house), clock, house.as_(None))
        return self.made[case.book.rulebook_id]


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    with ExitStack() as stack:
        yield Houses(tmp_path_factory.mktemp("houses"), stack)


def _of_its_own(case: Case, number: int) -> Case:
    """The case with a station, a lot, codes and a cylinder that no other case has, and codes that can be read."""
    case = readable(case, _TAG, first=number * 10)
    here, facts, request, cylinder = f"st_{number}", case.station, case.request, case.cylinder
    request = request.model_copy(
        update={
            "check_id": f"check-{number}",
            "station_id": here,
            "lot_id": f"{request.lot_id}.{number}" if request.lot_id else None,
            "requested_at": case.now + (facts.clock_skew_ms or 0),
        }
    )
    if cylinder is not None:
        places = {
            name: here for name in ("last_seen_station_id",) if getattr(cylinder, name) == case.station.station_id
        }
        cylinder_id = new_cylinder_id(number.to_bytes(16, "big"))
        cylinder = cylinder.model_copy(update={"cylinder_id": cylinder_id, **places})
    return replace(case, request=request, cylinder=cylinder)


def _tell(unit: Unit, case: Case) -> None:
    request, counts = case.request, defaultdict[str, int](int)

    def state(subject: str, event: Event, at: int) -> None:
        counts[subject] += 1
        id = f"{subject.replace('/', '.')}.{counts[subject]}"
        if isinstance(event, events.RetagRequested):
            id = f"retag.{event.old_code}"
        record = state_event(event, id=id, subject=subject, occurred_at=at, by="tests")
        unit.append(record, recorded_at=at)

    grant(unit, f"token-{request.station_id}", f"dev_{request.station_id}", "station", request.station_id)
    for event in told_of_station(case):
        state(f"station/{request.station_id}", event, case.now - 1)
    for event in told_of_lot(case):
        state(f"lot/{request.lot_id}", event, case.now - 1)
    if case.cylinder is not None:
        for at, event in told_of_cylinder(case.cylinder, request):
            state(f"cylinder/{case.cylinder.cylinder_id}", event, at)


@pytest.mark.parametrize(
    ("number", "case"), list(enumerate(CASES, 1)), ids=[f"{case.file}: {case.name}" for case in CASES]
)
def test_a_scan_at_the_service_is_decided_as_the_vectors_say(houses: Houses, number: int, case: Case) -> None:
    house, clock, client = houses.for_book(case)
    clock.now = max(clock.now, case.now)
    case = _of_its_own(case, number)
    house.running.ledger.transact(partial(_tell, case=case))
    body = case.request.model_dump(mode="json", exclude_none=True)
    body["raw_scan"] = case.request.code or case.request.raw_scan
    token = {"Authorization": f"Bearer token-{case.request.station_id}"}
    answer = client.post("/v1/fill-checks", json=body, headers=token)
    assert answer.status_code == 200, answer.text
    decision = answer.json()["decision"]
    codes = tuple(reason["code"] for reason in decision["reasons"])
    if case.cylinder is not None and case.request.code is None:
        assert codes == ("R01",)  # over HTTP no code leads to no cylinder
        return
    assert (decision["outcome"], codes) == (case.expected_outcome, case.expected_reasons)
    assert tuple(warning["code"] for warning in decision["warnings"]) == case.expected_warnings
    assert case.expected_max_net_g in (None, decision.get("max_net_g"))


def test_nearly_every_case_can_be_told_to_a_service() -> None:
    untold = [f"{case.file}: {case.name}" for case in load_cases() if not can_be_told(case)]
    assert len(untold) <= 25, untold
