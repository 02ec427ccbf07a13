"""What makes a station fit to fill (充装条件): its licence, its verified scales, its people's certificates.

A certificate is kept in its holder's own history, and counts at the stations where they work: a suspension reaches
each of them in the same act.
"""

from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select

from cylinder_api.acts.common import derived_id, require_not_future
from cylinder_api.acts.supervision import note_company_licence
from cylinder_api.refusals import Refused
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.events import (
    CertificateRecorded,
    CompanyLicenceNoted,
    Event,
    ScaleVerified,
    StationLicensed,
    WorkerCertified,
    state_event,
)
from cylinder_trace.standing import CompanyState
from cylinder_trace.station import StationState
from cylinder_trace.store.tables import SubjectNowRow
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Day, Evidence, Frozen, Id, Instant, Text
from cylinder_trace.vocabulary.licensing import Standing

_now = SubjectNowRow.__table__  # type: ignore[attr-defined]


class StationLicence(Frozen):
    """A station's filling licence as given, changed or suspended (充装许可)."""

    id: Id
    """Made by the caller; the act's idempotency key."""
    station_id: Id
    company_id: Id
    licence_no: Text
    valid_until: Day
    suspended: bool = False
    """暂扣、停业整顿: no gas flows there from now on."""
    region: Text
    occurred_at: Instant


class ScaleVerification(Frozen):
    """A filling scale was verified (秤检定)."""

    id: Id
    station_id: Id
    scale_id: Id
    valid_until: Day
    """The last day of the verification; of one that failed, a day that is over."""
    occurred_at: Instant


class Certificate(Frozen):
    """A person's certificate as given, changed, suspended or revoked (证书变更)."""

    id: Id
    worker_id: Id
    certificate_no: Text
    scope: Literal["filling", "inspection", "delivery", "driving", "management"]
    valid_from: Day
    valid_until: Day
    standing: Standing = "valid"
    banned_until: Day | None = None
    """No certificate of this scope before this day (三年内不得从事)."""
    station_id: Id | None = None
    """Of a filler: the station where they fill, in addition to those where they do already."""
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()
    occurred_at: Instant


def license_station(unit: Unit, act: StationLicence, authority_id: str, by: str) -> Receipt:
    """Record the licence; a station that was not on file is on file from now on."""
    facts = {name: getattr(act, name) for name in ("company_id", "licence_no", "valid_until", "suspended", "region")}
    known = unit.entry(act.id) is not None
    receipt = _state(unit, act, f"station/{act.station_id}", StationLicensed(**facts), authority_id, by)
    if not known:
        _note_company(unit, act)
    return receipt


def _note_company(unit: Unit, act: StationLicence) -> None:
    """A company whose filling licence does not stand fills at a new station no more than at the others."""
    company = unit.subject(f"company/{act.company_id}").state
    licences = company.licences if isinstance(company, CompanyState) else {}
    filling = {number: licence for number, licence in licences.items() if licence.scope == "filling"}
    if not filling:
        return
    number = max(filling, key=lambda one: (filling[one].stated_at, one))
    stated = unit.entry(act.id)
    if filling[number].standing != "valid" and stated is not None:
        noted = CompanyLicenceNoted(company_id=act.company_id, licence_no=number, standing=filling[number].standing)
        note_company_licence(unit, noted, act.station_id, stated.record())


def verify_scale(unit: Unit, act: ScaleVerification, authority_id: str, by: str) -> Receipt:
    """Record until when the scale is verified; raises Refused for a station that is not on file."""
    _require_station(unit, act.station_id)
    event = ScaleVerified(scale_id=act.scale_id, valid_until=act.valid_until)
    return _state(unit, act, f"station/{act.station_id}", event, authority_id, by)


def record_certificate(unit: Unit, act: Certificate, authority_id: str, by: str) -> Receipt:
    """Record the certificate, and until when its holder may fill at each of their stations; raises Refused."""
    if act.valid_from > act.valid_until:
        raise Refused("invalid", "/body/valid_until: the certificate ends before it begins")
    if act.station_id is not None:
        _require_station(unit, act.station_id)
    known = unit.entry(act.id) is not None
    facts = {name: value for name, value in dict(act).items() if name in CertificateRecorded.model_fields}
    event = CertificateRecorded(authority_id=authority_id, **facts)
    receipt = _state(unit, act, f"worker/{act.worker_id}", event, authority_id, by)
    if act.scope == "filling" and not known:
        for station_id in _stations_of(unit, act):
            certified = WorkerCertified(worker_id=act.worker_id, valid_until=_last_day(act))
            _state(
                unit, act, f"station/{station_id}", certified, authority_id, by, derived_id(act.id, f"at.{station_id}")
            )
    return receipt


def _last_day(act: Certificate) -> str:
    """The last day on which the certificate counts: of one that does not stand, the day before the act."""
    return act.valid_until if act.standing == "valid" else format_day(local_day(act.occurred_at) - 1)


def _stations_of(unit: Unit, act: Certificate) -> list[str]:
    """Where the holder fills, as stated before, and where they fill from now on."""
    named = _now.c.state.contains(f'"{act.worker_id}"', autoescape=True)
    rows = unit.connection.execute(select(_now.c.state).where(_now.c.kind == "station", named))
    stations = [StationState.model_validate_json(row.state) for row in rows]
    known = {station.station_id for station in stations if act.worker_id in station.workers}
    return sorted(known | ({act.station_id} if act.station_id else set()))


def _require_station(unit: Unit, station_id: str) -> None:
    if unit.station(station_id) is None:
        raise Refused("station_unknown", f"no station {station_id} is on file")


def _state(
    unit: Unit,
    act: StationLicence | ScaleVerification | Certificate,
    subject: str,
    event: Event,
    authority_id: str,
    by: str,
    id: str = "",
) -> Receipt:
    require_not_future(unit, act.occurred_at)
    refs = (f"authority/{authority_id}",)
    record = state_event(
        event, id=id or act.id, subject=subject, occurred_at=act.occurred_at, by=by, refs=refs, act_id=act.id
    )
    return unit.append(record)
