"""The state of workers and companies: their certificates and licences (作业人员证、许可证), by number.

Of two statements about one number, the one that occurred later holds, in whatever order they are told.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from cylinder_trace import events
from cylinder_trace.cylinder import StateError
from cylinder_trace.events import Entry
from cylinder_trace.values import Count, Day, Frozen, Id, Instant, changed
from cylinder_trace.vocabulary.licensing import Standing


class Permission(Frozen):
    """A certificate or licence as last stated."""

    scope: str
    authority_id: Id
    valid_from: Day
    valid_until: Day
    standing: Standing
    banned_until: Day | None = None
    stated_at: Instant


class WorkerState(Frozen):
    """A worker (从业人员) after `n` entries of the chain: certificate number → certificate."""

    worker_id: Id
    n: Count
    certificates: dict[str, Permission] = {}


class CompanyState(Frozen):
    """A company (企业) after `n` entries of the chain: licence number → licence."""

    company_id: Id
    n: Count
    licences: dict[str, Permission] = {}


def next_worker_state(state: WorkerState | None, entry: Entry, event: events.Event) -> WorkerState:
    """State of a worker after `entry`; raises StateError if the event is not a worker's."""
    state = state or WorkerState(worker_id=entry.subject.partition("/")[2], n=0)
    change: dict[str, Any] = {}
    if isinstance(event, events.CertificateRecorded):
        change["certificates"] = _stated(state.certificates, event.certificate_no, entry, event)
    else:
        _require_comment(entry, event, "worker")
    return changed(state, {"n": entry.n + 1, **change})


def next_company_state(state: CompanyState | None, entry: Entry, event: events.Event) -> CompanyState:
    """State of a company after `entry`; raises StateError if the event is not a company's."""
    state = state or CompanyState(company_id=entry.subject.partition("/")[2], n=0)
    change: dict[str, Any] = {}
    if isinstance(event, events.LicenceRecorded):
        change["licences"] = _stated(state.licences, event.licence_no, entry, event)
    else:
        _require_comment(entry, event, "company")
    return changed(state, {"n": entry.n + 1, **change})


Stated = TypeVar("Stated", events.CertificateRecorded, events.LicenceRecorded)


def _stated(known: Mapping[str, Permission], number: str, entry: Entry, event: Stated) -> dict[str, Permission]:
    if number in known and entry.at < known[number].stated_at:
        return dict(known)
    fields = event.model_dump(exclude={"certificate_no", "licence_no", "evidence"})
    return {**known, number: Permission(**fields, stated_at=entry.at)}


def _require_comment(entry: Entry, event: events.Event, kind: str) -> None:
    if not isinstance(event, events.DisputeRaised | events.DisputeResolved | events.Corrected):
        raise StateError(f"{entry.type} is not an event of a {kind}")
