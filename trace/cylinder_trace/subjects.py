"""The kinds of subjects that have a chain, and the state that each kind's entries add up to.

    cylinder/<id>   CylinderState        station/<id>   StationState
    worker/<id>     WorkerState          company/<id>   CompanyState
    lot/<id>        LotState             recall/<id>    RecallState
    device/<id>     DeviceState          rulebook/<id>  RulebookState
    customer/<id>   CustomerState        authority/<id> AuthorityState
    capture/<id>    CaptureState

One fold for the store, the replica and the audit: what an event means has one home.
"""

from collections.abc import Callable
from typing import Any, TypeVar

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
from cylinder_trace.values import Count, Frozen, Id, Instant, Sha256, Text, changed


class DeviceState(Frozen):
    """A station's device and the key that speaks for it."""

    device_id: Id
    n: Count
    station_id: Id
    vkey: Text
    revoked_at: Instant | None = None
    """Since when it is cut off; from then on nothing new of it is taken."""


class CaptureState(Frozen):
    """What an organisation sent in EPCIS and we stored (EPCIS 采集)."""

    capture_id: Id
    n: Count
    org_id: Id
    count: Count
    root: Sha256


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
    | CaptureState
)


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
    cls, following = _NEXT[kind_of(entry.subject)]
    return following(_expect(cls, state), entry, event)


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


def _next_capture_state(state: CaptureState | None, entry: Entry, event: events.Event) -> CaptureState:
    if not isinstance(event, _OF_CAPTURES) or (state is None and not isinstance(event, events.EpcisCaptured)):
        raise StateError(f"{entry.type} cannot follow in a capture's chain")
    if not isinstance(event, events.EpcisCaptured):
        assert state is not None  # noqa: S101 - only a capture begins the chain
        return changed(state, {"n": entry.n + 1})
    if state is not None:
        raise StateError("a capture is recorded once")
    capture_id = entry.subject.partition("/")[2]
    return CaptureState(capture_id=capture_id, n=entry.n + 1, org_id=event.org_id, count=event.count, root=event.root)


_WHILE_TRUSTED = (events.DeviceEnrolled, events.DeviceRevoked, events.HeadSigned, events.JournalForked)
_OF_CAPTURES = (events.EpcisCaptured, events.DisputeRaised, events.DisputeResolved)
_OF_DEVICES = (*_WHILE_TRUSTED, events.DisputeRaised, events.DisputeResolved)
_NEXT: dict[str, tuple[type[SubjectState], Callable[[Any, Entry, events.Event], SubjectState]]] = {
    "cylinder": (CylinderState, next_state),
    "station": (StationState, next_station_state),
    "worker": (WorkerState, next_worker_state),
    "company": (CompanyState, next_company_state),
    "lot": (LotState, next_lot_state),
    "recall": (RecallState, next_recall_state),
    "device": (DeviceState, _next_device_state),
    "rulebook": (RulebookState, next_rulebook_state),
    "customer": (CustomerState, next_customer_state),
    "authority": (AuthorityState, next_authority_state),
    "capture": (CaptureState, _next_capture_state),
}
"""Kind of subject → its state, and what a further entry makes of it."""
STATE_CLASSES: dict[str, type[SubjectState]] = {kind: cls for kind, (cls, _) in _NEXT.items()}
