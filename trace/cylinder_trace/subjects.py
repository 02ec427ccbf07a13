"""The kinds of subjects that have a chain, and the state that each kind's entries add up to.

    cylinder/<id>   CylinderState        station/<id>   StationState
    worker/<id>     WorkerState          company/<id>   CompanyState
    lot/<id>        LotState             recall/<id>    RecallState
    device/<id>     DeviceState          rulebook/<id>  RulebookState
    customer/<id>   CustomerState        authority/<id> AuthorityState

One fold for the store, the replica and the audit: what an event means has one home.
"""

from typing import TypeVar

from cylinder_trace import events
from cylinder_trace.authority import AuthorityState, next_authority_state
from cylinder_trace.customer import CustomerState, next_customer_state
from cylinder_trace.cylinder import CylinderState, StateError, next_state
from cylinder_trace.enactment import RulebookState, next_rulebook_state
from cylinder_trace.events import Entry
from cylinder_trace.lots import LotState, next_lot_state
from cylinder_trace.recalls import RecallState, next_recall_state
from cylinder_trace.standing import CompanyState, WorkerState, next_company_state, next_worker_state
from cylinder_trace.station import StationState, next_station_state
from cylinder_trace.values import Count, Frozen, Id, Instant, Text, changed


class DeviceState(Frozen):
    """A station's device and the key that speaks for it."""

    device_id: Id
    n: Count
    station_id: Id
    vkey: Text
    revoked_at: Instant | None = None
    """Since when it is cut off; from then on nothing new of it is taken."""


AnyState = TypeVar("AnyState")
SubjectState = (
    CylinderState
    | StationState
    | WorkerState
    | CompanyState
    | LotState
    | RecallState
    | DeviceState
    | RulebookState
    | CustomerState
    | AuthorityState
)
STATE_CLASSES: dict[str, type[SubjectState]] = {
    "cylinder": CylinderState,
    "station": StationState,
    "worker": WorkerState,
    "company": CompanyState,
    "lot": LotState,
    "recall": RecallState,
    "device": DeviceState,
    "rulebook": RulebookState,
    "customer": CustomerState,
    "authority": AuthorityState,
}


def kind_of(subject: str) -> str:
    """The kind of a subject ``kind/id``; raises StateError if no such kind has a chain."""
    kind = subject.partition("/")[0]
    if kind not in STATE_CLASSES:
        raise StateError(f"{kind} is not a kind of subject")
    return kind


def parse_state(subject: str, text: str) -> SubjectState:
    """The state of `subject` in its stored JSON."""
    return STATE_CLASSES[kind_of(subject)].model_validate_json(text)


def format_state(state: SubjectState) -> str:
    """The state as stored JSON; fields without a value are absent."""
    # What `model_dump_json` calls; its thirty parameters, handed on, take as long as the writing.
    return state.__pydantic_serializer__.to_json(state, exclude_none=True).decode()


def next_subject_state(state: SubjectState | None, entry: Entry, event: events.Event) -> SubjectState:
    """State of the entry's subject after `entry`; raises StateError if the event cannot follow."""
    match kind_of(entry.subject):
        case "cylinder":
            return next_state(_expect(CylinderState, state), entry, event)
        case "station":
            return next_station_state(_expect(StationState, state), entry, event)
        case "worker":
            return next_worker_state(_expect(WorkerState, state), entry, event)
        case "company":
            return next_company_state(_expect(CompanyState, state), entry, event)
        case "lot":
            return next_lot_state(_expect(LotState, state), entry, event)
        case "recall":
            return next_recall_state(_expect(RecallState, state), entry, event)
        case "device":
            return _next_device_state(_expect(DeviceState, state), entry, event)
        case "customer":
            return next_customer_state(_expect(CustomerState, state), entry, event)
        case "authority":
            return next_authority_state(_expect(AuthorityState, state), entry, event)
        case _:
            return next_rulebook_state(_expect(RulebookState, state), entry, event)


def _expect(cls: type[AnyState], state: SubjectState | None) -> AnyState | None:
    if state is not None and not isinstance(state, cls):
        raise StateError(f"state of another kind: {type(state).__name__}")
    return state


def _next_device_state(state: DeviceState | None, entry: Entry, event: events.Event) -> DeviceState:
    if not isinstance(event, _OF_DEVICES) or (state is None and not isinstance(event, events.DeviceEnrolled)):
        raise StateError(f"{entry.type} cannot follow in a device's chain")
    if state is not None and state.revoked_at is not None and isinstance(event, _WHILE_TRUSTED):
        raise StateError(f"device {state.device_id} was cut off; another one is enrolled in its place")
    if isinstance(event, events.DeviceEnrolled):
        device_id = entry.subject.partition("/")[2]
        return DeviceState(device_id=device_id, n=entry.n + 1, station_id=event.station_id, vkey=event.vkey)
    assert state is not None  # noqa: S101 - only an enrolment begins a device
    revoked = {"revoked_at": entry.recorded_at} if isinstance(event, events.DeviceRevoked) else {}
    return changed(state, {"n": entry.n + 1, **revoked})


_WHILE_TRUSTED = (events.DeviceEnrolled, events.DeviceRevoked, events.HeadSigned, events.JournalForked)
_OF_DEVICES = (*_WHILE_TRUSTED, events.DisputeRaised, events.DisputeResolved)
