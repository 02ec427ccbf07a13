"""Gas lots (气质批次): what came into a station's tank, what the laboratory found, released or blocked.

The station's company states all four; an authority can block a lot too, and what it blocked it alone releases.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from cylinder_api.acts.common import require_not_future
from cylinder_api.refusals import Refused
from cylinder_trace.events import Event, GasLotBlocked, GasLotReceived, GasLotReleased, GasLotTested, state_event
from cylinder_trace.lots import LotState
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Evidence, Frozen, Id, Instant, Text
from cylinder_trace.vocabulary.gas import BulkGrams, PartsPerMillion

Proofs = Annotated[tuple[Evidence, ...], Field(max_length=16)]


class LotAct(Frozen):
    """What every act about a gas lot says."""

    id: Id
    """Made by the caller; the act's idempotency key."""
    occurred_at: Instant


class LotArrival(LotAct):
    """A lot of gas came into a station's tank (气质批次到货)."""

    lot_id: Id
    station_id: Id
    supplier_id: Id
    product: Literal["lpg", "industrial_propane", "other"]
    mass_g: BulkGrams
    document_no: Text
    evidence: Proofs = ()


class LotTesting(LotAct):
    """What a laboratory found in the lot (气质检测)."""

    laboratory_id: Id
    report_no: Text
    passed: bool
    dimethyl_ether_ppm: PartsPerMillion | None = None
    odorant_present: bool | None = None
    evidence: Proofs = ()


class LotRelease(LotAct):
    """The lot may be filled into cylinders (气质批次放行)."""

    report_no: Text


class LotBlock(LotAct):
    """The lot may not, or no longer, be filled (气质批次停用)."""

    cause: Text


_ACT_FIELDS = {"id", "occurred_at", "lot_id"}


def receive_lot(unit: Unit, act: LotArrival, company_id: str, by: str) -> Receipt:
    """Record that the lot came in. Raises Refused for another company's station, StateError for a lot known already."""
    _require_own_station(unit, act.station_id, company_id)
    event = GasLotReceived(**_facts(act))
    return _append(unit, act, act.lot_id, event, by, (f"station/{act.station_id}", f"company/{company_id}"))


def state_about_lot(
    unit: Unit, act: LotTesting | LotRelease | LotBlock, lot_id: str, org_id: str, by: str, role: str
) -> Receipt:
    """Record a test, release or block; raises Refused for another company's lot, or a release without a good test."""
    lot = unit.subject(f"lot/{lot_id}").state
    if not isinstance(lot, LotState) or lot.station_id is None:
        raise Refused("lot_unknown", "no gas lot is on file under this id")
    if role == "company":
        _require_own_station(unit, lot.station_id, org_id)
    if isinstance(act, LotRelease) and unit.entry(act.id) is None:
        _require_releasable(unit, lot, org_id)
    refs = (f"station/{lot.station_id}", f"{'company' if role == 'company' else 'authority'}/{org_id}")
    return _append(unit, act, lot_id, _event(act, org_id), by, refs)


def _event(act: LotTesting | LotRelease | LotBlock, org_id: str) -> Event:
    match act:
        case LotTesting():
            return GasLotTested(**_facts(act))
        case LotRelease():
            return GasLotReleased(released_by=org_id, report_no=act.report_no)
        case LotBlock():
            return GasLotBlocked(blocked_by=org_id, cause=act.cause)


def _facts(act: LotArrival | LotTesting) -> dict[str, Any]:
    return {name: value for name, value in dict(act).items() if name not in _ACT_FIELDS}


def _require_own_station(unit: Unit, station_id: str, company_id: str) -> None:
    station = unit.station(station_id)
    if station is None:
        raise Refused("station_unknown", f"no station {station_id} is on file")
    if station.company_id != company_id:
        raise Refused("other_station", f"station {station_id} belongs to another company")


def _require_releasable(unit: Unit, lot: LotState, org_id: str) -> None:
    """Raise Refused for a lot that no passed test stands for, or that somebody else blocked."""
    if lot.test_passed is not True:
        raise Refused("cannot_follow", "no passed test of this lot is on record; a lot is released on its test")
    if others := _who_blocks(unit, lot) - {org_id}:
        raise Refused(
            "other_authority", f"the lot is blocked by {', '.join(sorted(others))}; whoever blocks releases it"
        )


def _who_blocks(unit: Unit, lot: LotState) -> set[str]:
    """Those whose last word about the lot was a block."""
    told = unit.told_between(f"lot/{lot.lot_id}", -1, lot.n)
    blocking: set[str] = set()
    for _, event in sorted(told, key=lambda told: told.entry.at):
        match event:
            case GasLotBlocked(blocked_by=org_id):
                blocking.add(org_id)
            case GasLotReleased(released_by=org_id):
                blocking.discard(org_id)
    return blocking


def _append(unit: Unit, act: LotAct, lot_id: str, event: Event, by: str, refs: tuple[str, ...]) -> Receipt:
    require_not_future(unit, act.occurred_at)
    record = state_event(event, id=act.id, subject=f"lot/{lot_id}", occurred_at=act.occurred_at, by=by, refs=refs)
    return unit.append(record)
