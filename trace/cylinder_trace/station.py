"""The state of a filling station: licence, scales, fillers; and the facts a decision takes from it."""

from collections.abc import Sequence

from cylinder_trace import events
from cylinder_trace.decision import FillRequest, StationFacts
from cylinder_trace.events import Entry
from cylinder_trace.locks import Lock, lock_at, standing_locks, stated_lock, with_lock
from cylinder_trace.lots import LotState
from cylinder_trace.values import Count, Day, Frozen, Id, Instant, Text, changed
from cylinder_trace.vocabulary.licensing import Standing


class ScaleState(Frozen):
    """A filling scale: verified until, locked or not."""

    verified_until: Day | None = None
    locked: bool = False


class CompanyLicence(Frozen):
    """How the filling licence of a station's company stands (企业许可)."""

    company_id: Id
    licence_no: Text
    standing: Standing


class StationState(Frozen):
    """Everything the rules ask about a station, after `n` entries of its chain."""

    station_id: Id
    n: Count
    company_id: Id | None = None
    licence_valid_until: Day | None = None
    licence_suspended: bool = False
    region: Text | None = None
    scales: dict[str, ScaleState] = {}
    workers: dict[str, Day] = {}
    """Worker id → the last day of the filler's certificate."""
    said_at: dict[str, Instant] | None = None
    """When each of these facts was last stated: ``licence``, ``verified/<scale>``, ``locked/<scale>``, ``worker/<id>``,
    ``company_licence``.

    Absent in read models of before; then the next statement holds.
    """
    locks: dict[str, Lock] | None = None
    """The regulator's locks by their ids, also those that have ended, and each place's last unlocking."""
    company_licence: CompanyLicence | None = None


def next_station_state(state: StationState | None, entry: Entry, event: events.Event) -> StationState:
    """State after `entry`; events that do not change a station (refused scans) only count.

    Of two statements about one fact the one that occurred later holds, in whatever order they are recorded: a licence,
    a verification or an unlocking told late never undoes what came after it.  Of one moment, the one recorded later
    holds.
    """
    state = state or StationState(station_id=entry.subject.partition("/")[2], n=0)
    # A regulator's word comes from the service; what a station writes of locks into its own journal is kept alone.
    if isinstance(event, events.FillingLocked | events.FillingUnlocked) and entry.device is None:
        state = _with_lock(state, entry, event)
    fact = _fact(event)
    if fact is None:
        return changed(state, {"n": entry.n + 1})
    said_at = state.said_at or {}
    if entry.at < said_at.get(fact, 0):
        return changed(state, {"n": entry.n + 1})
    change = {"said_at": {**said_at, fact: entry.at}, **_change(state, event)}
    return changed(state, {"n": entry.n + 1, **change})


def _fact(event: events.Event) -> str | None:
    """The fact that an event states; None if it states none about a station."""
    match event:
        case events.StationLicensed():
            return "licence"
        case events.ScaleVerified():
            return f"verified/{event.scale_id}"
        case events.ScaleLocked() | events.ScaleUnlocked():
            return f"locked/{event.scale_id}"
        case events.FillingUnlocked(target="scale"):
            return f"locked/{event.scale_id}"
        case events.WorkerCertified():
            return f"worker/{event.worker_id}"
        case events.CompanyLicenceNoted():
            return "company_licence"
    return None


def _change(state: StationState, event: events.Event) -> dict[str, object]:
    match event:
        case events.StationLicensed():
            return {
                "company_id": event.company_id,
                "licence_valid_until": event.valid_until,
                "licence_suspended": event.suspended,
                "region": event.region,
            }
        case events.ScaleVerified():
            return _scale_change(state, event.scale_id, {"verified_until": event.valid_until})
        case events.ScaleLocked() | events.ScaleUnlocked():
            locked = isinstance(event, events.ScaleLocked)
            return _scale_change(state, event.scale_id, {"locked": locked})
        case events.FillingUnlocked(target="scale", scale_id=str(scale_id)):  # also a lock of the kind before
            return _scale_change(state, scale_id, {"locked": False}) if scale_id in state.scales else {}
        case events.CompanyLicenceNoted():
            return {"company_licence": CompanyLicence(**event.model_dump())}
        case events.WorkerCertified():
            return {"workers": {**state.workers, event.worker_id: event.valid_until}}
        case _:
            return {}


def _with_lock(state: StationState, entry: Entry, event: events.FillingLocked | events.FillingUnlocked) -> StationState:
    lock = stated_lock(event, entry.id, state.station_id, entry.occurred_at)
    return changed(state, {"locks": with_lock(state.locks or {}, lock)})


def _scale_change(state: StationState, scale_id: str, update: dict[str, object]) -> dict[str, object]:
    scale = state.scales.get(scale_id, ScaleState())
    return {"scales": {**state.scales, scale_id: scale.model_copy(update=update)}}


def facts_for(
    state: StationState | None,
    request: FillRequest,
    data_as_of: int,
    clock_skew_ms: int | None,
    lot: LotState | None = None,
    *,
    now: int | None = None,
    locks: Sequence[Lock] | None = None,
) -> StationFacts:
    """The facts that a decision about `request` takes from the station, and from the gas `lot` that it names.

    `now` is the moment at which an expiring lock is asked, by default that of the request.  `locks` are those that
    stand as far as whoever decides can tell; by default as the ledger tells.  An unknown station, scale or worker
    gives facts that the rules refuse: nothing is assumed.
    """
    if state is None or state.station_id != request.station_id:
        return StationFacts(station_id=request.station_id, data_as_of=data_as_of, clock_skew_ms=clock_skew_ms)
    scale = state.scales.get(request.scale_id, ScaleState())
    if locks is None:
        locks = standing_locks((state.locks or {}).values())
    lock = lock_at(locks, request.scale_id, request.lane, request.requested_at if now is None else now)
    return StationFacts(
        station_id=request.station_id,
        company_id=state.company_id,
        licence_valid_until=state.licence_valid_until,
        licence_suspended=state.licence_suspended or _company_stopped(state),
        scale_verified_until=scale.verified_until,
        scale_locked=scale.locked or lock is not None,
        worker_certified_until=state.workers.get(request.worker_id or ""),
        clock_skew_ms=clock_skew_ms,
        data_as_of=data_as_of,
        region=state.region,
        lot_product=lot.product if lot else None,
        lot_standing=(lot.standing or "not_released") if lot else None,
        lock=lock,
    )


def _company_stopped(state: StationState) -> bool:
    licence = state.company_licence
    return licence is not None and licence.company_id == state.company_id and licence.standing != "valid"
