"""What an authority states about stations and companies (监管): locks on filling, licences."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy import select

from cylinder_api.acts.common import derived_id, require_not_future
from cylinder_api.refusals import Refused
from cylinder_trace.authority import AuthorityState
from cylinder_trace.events import (
    CompanyLicenceNoted,
    FillingLocked,
    FillingUnlocked,
    LicenceRecorded,
    Record,
    state_event,
)
from cylinder_trace.locks import LockNoteError, LockWords, check_lock_note, place_of, standing_locks
from cylinder_trace.station import StationState
from cylinder_trace.store.tables import SubjectNowRow
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Count, Day, Evidence, Frozen, Id, Instant, LongText, Text
from cylinder_trace.vocabulary.licensing import Standing
from cylinder_trace.vocabulary.locking import LockTarget

_now = SubjectNowRow.__table__  # type: ignore[attr-defined]


class LockAct(Frozen):
    """Filling at a scale, a lane or a whole station is stopped, or may go on (监管锁停)."""

    id: Id
    station_id: Id
    target: LockTarget = "scale"
    scale_id: Id | None = None
    """Of a scale."""
    lane: Count | None = None
    """Of a lane."""
    locked: bool
    cause: Text
    until: Instant | None = None
    """From this moment on a lock stops nothing any more; without it, until it is lifted."""
    note: LongText | None = None
    """The authority's signed statement of just this act (`cylinder-api lock-note`); an unlocking needs it."""
    occurred_at: Instant

    @model_validator(mode="after")
    def _names_its_place(self) -> Self:
        named = (self.scale_id is not None, self.lane is not None)
        if named != (self.target == "scale", self.target == "lane"):
            raise ValueError("scale_id is named for a scale, lane for a lane, and neither for the whole station")
        if self.until is not None and (not self.locked or self.until <= self.occurred_at):
            raise ValueError("until is the end of a lock, after occurred_at")
        return self

    def words(self, authority_id: str) -> LockWords:
        """What the authority signs."""
        facts = self.model_dump(exclude={"note"}, exclude_none=True)
        return LockWords(**facts, authority_id=authority_id)


def lock_filling(unit: Unit, act: LockAct, authority_id: str, by: str) -> Receipt:
    """Record that the authority stops filling, or lets it go on; raises Refused.

    A lock counts whether or not its signature can be verified; an unlocking is refused without a good one.
    """
    station = unit.station(act.station_id)
    if station is None:
        raise Refused("station_unknown", f"no station {act.station_id} is on file")
    require_not_future(unit, act.occurred_at)
    recorded = unit.entry(act.id)
    signed_by = recorded.data.get("signed_by") if recorded else _signer(unit, act, authority_id)
    if not act.locked and recorded is None:
        _require_own_locks(station, act, authority_id)
    record = state_event(
        _lock_event(act, authority_id, signed_by),
        id=act.id,
        subject=f"station/{act.station_id}",
        occurred_at=act.occurred_at,
        by=by,
        refs=(f"authority/{authority_id}",),
    )
    return unit.append(record)


def _signer(unit: Unit, act: LockAct, authority_id: str) -> str | None:
    """The authority's key that signed the act; None for a lock without one. Raises Refused for an unlocking."""
    state = unit.subject(f"authority/{authority_id}").state
    known = state.trusted() if isinstance(state, AuthorityState) else ()
    try:
        return check_lock_note(act.note or "", act.words(authority_id), known)
    except LockNoteError as error:
        if act.locked:
            return None
        detail = f"an unlocking counts only under a key of {authority_id} that is on file: {error}"
        raise Refused("signature_unverified", detail) from error


def _require_own_locks(station: StationState, act: LockAct, authority_id: str) -> None:
    place = place_of(act.target, act.lane, act.scale_id)
    standing = standing_locks((station.locks or {}).values())
    others = {lock.authority_id for lock in standing if lock.place == place} - {authority_id}
    if others:
        raise Refused("other_authority", f"it was locked by {min(others)}, which alone unlocks it")


def _lock_event(act: LockAct, authority_id: str, signed_by: str | None) -> FillingLocked | FillingUnlocked:
    facts = act.model_dump(include={"target", "lane", "scale_id", "cause", "note"}, exclude_none=True)
    if act.locked:
        return FillingLocked(authority_id=authority_id, until=act.until, signed_by=signed_by, **facts)
    return FillingUnlocked(authority_id=authority_id, signed_by=signed_by or "", **facts)


class LicenceAct(Frozen):
    """A company's licence as given, changed, suspended or revoked (许可变更)."""

    id: Id
    company_id: Id
    """Also an inspection body's id."""
    licence_no: Text
    scope: Literal["making", "filling", "gas_business", "inspection", "transport"]
    valid_from: Day
    valid_until: Day
    standing: Standing = "valid"
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()
    occurred_at: Instant


def record_licence(unit: Unit, act: LicenceAct, authority_id: str, by: str) -> Receipt:
    """Record what the register says of a company's licence from now on; a filling licence, at its stations too."""
    require_not_future(unit, act.occurred_at)
    known = unit.entry(act.id) is not None
    facts = {name: getattr(act, name) for name in ("licence_no", "scope", "valid_from", "valid_until", "standing")}
    record = state_event(
        LicenceRecorded(authority_id=authority_id, evidence=act.evidence, **facts),
        id=act.id,
        subject=f"company/{act.company_id}",
        occurred_at=act.occurred_at,
        by=by,
        refs=(f"authority/{authority_id}",),
    )
    receipt = unit.append(record)
    if act.scope == "filling" and not known:
        for station_id in _stations_of(unit, act.company_id):
            licence = CompanyLicenceNoted(company_id=act.company_id, licence_no=act.licence_no, standing=act.standing)
            note_company_licence(unit, licence, station_id, record)
    return receipt


def note_company_licence(unit: Unit, licence: CompanyLicenceNoted, station_id: str, because: Record) -> None:
    """Record at a station how its company's filling licence stands: the next check there is decided by it."""
    record = state_event(
        licence,
        id=derived_id(because.id, f"at.{station_id}"),
        subject=f"station/{station_id}",
        occurred_at=because.occurred_at,
        by=because.by,
        refs=because.refs,
        act_id=because.id,
    )
    unit.append(record)


def _stations_of(unit: Unit, company_id: str) -> list[str]:
    named = _now.c.state.contains(f'"{company_id}"', autoescape=True)
    rows = unit.connection.execute(select(_now.c.subject).where(_now.c.kind == "station", named))
    names = sorted(row.subject.partition("/")[2] for row in rows)
    return [name for name in names if (state := unit.station(name)) and state.company_id == company_id]
