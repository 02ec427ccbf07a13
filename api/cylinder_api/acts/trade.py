"""From the gate (出站) to the user's door (实名销售、随瓶安检) and back (空瓶回收); change of owner (产权变更).

A buyer's identity goes into the vault, in the transaction that records the sale; the ledger holds a commitment.
"""

import hashlib
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, append_about, find_cylinder, require_owner
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.events import LeftStation, OwnershipTransferred, Returned, SafetyChecked, Sold
from cylinder_trace.identity import Identity
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.unit import IdConflict, Receipt, Unit
from cylinder_trace.store.vault import Vault
from cylinder_trace.values import Evidence, Frozen, Id, Text
from cylinder_trace.vocabulary.holding import SafetyItem


class KnownCustomer(Frozen):
    """A customer who is in the vault already."""

    customer_id: Id


class Sale(CylinderAct):
    """A filled cylinder was handed over at the user's door (实名销售、随瓶安检)."""

    order_no: Id
    point_id: Id
    worker_id: Id
    customer: KnownCustomer | Identity
    safety_check_passed: bool


class SaleRecorded(NamedTuple):
    """Where the sale stands, and under which id the customer is kept."""

    receipt: Receipt
    customer_id: str


def record_sale(unit: Unit, sale: Sale, vault: Vault, company_id: str, by: str, forms: ScanForms) -> SaleRecorded:
    """Record the sale; a new buyer is sealed into the vault. Raises Refused for another company's cylinder."""
    cylinder = find_cylinder(unit, sale.code, forms)
    require_owner(unit, sale, cylinder, company_id)
    person = _person_of(unit, sale, vault, company_id)
    event = Sold(
        order_no=sale.order_no,
        point_id=sale.point_id,
        worker_id=sale.worker_id,
        customer_id=person.customer_id,
        identity_commitment=person.commitment,
        safety_check_passed=sale.safety_check_passed,
    )
    refs = (f"order/{sale.order_no}", f"point/{sale.point_id}", f"worker/{sale.worker_id}", f"company/{company_id}")
    return SaleRecorded(append_about(unit, cylinder, sale, event, by=by, refs=refs), person.customer_id)


def _person_of(unit: Unit, sale: Sale, vault: Vault, company_id: str) -> PersonRow:
    if isinstance(sale.customer, KnownCustomer):
        row = unit.find(PersonRow, sale.customer.customer_id)
        if row is None:
            raise Refused("customer_unknown", "no customer is on file under this id; send the identity instead")
        if row.wrapped_key is None and unit.entry(sale.id) is None:
            raise Refused("customer_erased", "this customer was erased; send the identity instead")
        return row
    customer_id = f"cus_{hashlib.sha256(sale.id.encode()).hexdigest()[:24]}"
    # The row was written with the sale; where that is not on file, the table need not be asked.
    if unit.entry(sale.id) is not None and (row := unit.find(PersonRow, customer_id)) is not None:
        return _same_person(row, sale, vault)
    row = vault.seal(customer_id, sale.customer, company_id=company_id)
    unit.put(row)
    return row


def _same_person(row: PersonRow, sale: Sale, vault: Vault) -> PersonRow:
    """The row that this very sale made when it was sent the first time."""
    if row.wrapped_key is not None and vault.open(row) != sale.customer:
        raise IdConflict(f"id {sale.id} is taken by a sale to somebody else")
    return row


class Return(CylinderAct):
    """The empty cylinder came back to a station (空瓶回收)."""

    station_id: Id


def record_return(unit: Unit, act: Return, company_id: str | None, by: str, forms: ScanForms) -> Receipt:
    """Record the return; a delivery worker (`company_id` given) returns to a station of their own company."""
    _require_station(unit, act.station_id, company_id)
    cylinder = find_cylinder(unit, act.code, forms)
    refs = (f"station/{act.station_id}",)
    return append_about(unit, cylinder, act, Returned(station_id=act.station_id), by=by, refs=refs)


def _require_station(unit: Unit, station_id: str, company_id: str | None) -> None:
    """Raise Refused unless the station is on file, and the company's if one is given."""
    station = unit.station(station_id)
    if station is None:
        raise Refused("station_unknown", f"no station {station_id} is on file")
    if company_id not in (None, station.company_id):
        raise Refused("other_station", f"station {station_id} belongs to another company")


class Departure(CylinderAct):
    """The full cylinder leaves the station with a worker (出站)."""

    station_id: Id
    worker_id: Id
    vehicle_id: Id | None = None
    order_no: Id | None = None


def record_departure(unit: Unit, act: Departure, company_id: str | None, by: str, forms: ScanForms) -> Receipt:
    """Record that it left; a delivery worker (`company_id` given) takes from a station of their own company."""
    _require_station(unit, act.station_id, company_id)
    cylinder = find_cylinder(unit, act.code, forms)
    event = LeftStation(**act.model_dump(include={"station_id", "worker_id", "vehicle_id", "order_no"}))
    order = (f"order/{act.order_no}",) if act.order_no else ()
    refs = (f"station/{act.station_id}", f"worker/{act.worker_id}", *order)
    return append_about(unit, cylinder, act, event, by=by, refs=refs)


class SafetyCheck(CylinderAct):
    """The check at the user's home that goes with a delivery, item by item (随瓶安检)."""

    order_no: Id
    customer_id: Id
    worker_id: Id
    outcome: Literal["passed", "rectify", "stop_supply", "not_met", "refused"]
    """合格、整改、停止供气、到访未遇、拒检."""
    items: Annotated[tuple[SafetyItem, ...], Field(max_length=40)] = ()
    remark: Text | None = None
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()


def record_safety_check(unit: Unit, act: SafetyCheck, company_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record what was found at the home of a customer on file. Raises Refused where items and outcome differ."""
    cylinder = find_cylinder(unit, act.code, forms)
    require_owner(unit, act, cylinder, company_id)
    person = unit.find(PersonRow, act.customer_id)
    if unit.entry(act.id) is None and (person is None or person.company_id not in (None, company_id)):
        raise Refused("customer_unknown", "no customer of yours is on file under this id; the sale comes first")
    found = {item.result for item in act.items}
    if (act.outcome == "passed" and found & {"rectify", "stop_supply"}) or (
        act.outcome in ("not_met", "refused") and found
    ):
        raise Refused("invalid", "/body/outcome: it is not what the items say")
    facts = act.model_dump(exclude={*CylinderAct.model_fields, "items", "evidence"})
    event = SafetyChecked(**facts, items=act.items, evidence=act.evidence)
    refs = (f"order/{act.order_no}", f"worker/{act.worker_id}", f"company/{company_id}")
    return append_about(unit, cylinder, act, event, by=by, refs=refs)


class Transfer(CylinderAct):
    """The owner hands the cylinder over to another company (产权变更)."""

    to_owner_id: Id


def transfer_cylinder(unit: Unit, act: Transfer, company_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record the change of owner. Only the owner of record can state it, so the old owner has signed."""
    cylinder = find_cylinder(unit, act.code, forms)
    require_owner(unit, act, cylinder, company_id)
    if act.to_owner_id == company_id:
        raise Refused("invalid", "/body/to_owner_id: the cylinder is yours already; name the new owner")
    event = OwnershipTransferred(from_owner_id=company_id, to_owner_id=act.to_owner_id, cosigned=True)
    refs = (f"company/{company_id}", f"company/{act.to_owner_id}")
    return append_about(unit, cylinder, act, event, by=by, refs=refs)
