"""Who owns a cylinder, who has it, and its way to the user and back (产权、交接、配送)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cylinder_trace.values import Evidence, Frozen, Id, Sha256, Text

CustodyBasis = Literal["entrusted", "supply_contract"]
"""Why whoever has a cylinder may fill it although it is not the owner (托管、供用气合同)."""
FillBasis = Literal["owned", CustodyBasis]
"""Why a company's stations may fill a cylinder (自有、托管、供用气合同); which of them count says the rulebook."""


class OwnershipTransferred(Frozen):
    """Change of owner (产权变更)."""

    type: ClassVar[str] = "ownership_transferred"
    from_owner_id: Id
    to_owner_id: Id
    cosigned: bool
    """Whether the old owner signed too."""


class HandedOver(Frozen):
    """Somebody else has the cylinder from now on (交接): custody, not ownership. It has one custodian at a time."""

    type: ClassVar[str] = "handed_over"
    from_holder_id: Id
    to_holder_id: Id
    cosigned: bool
    """Whether both sides confirmed it."""
    place_id: Id | None = None
    basis: CustodyBasis | None = None
    """Why the new holder may fill it although it is not the owner; absent = only in its hands.

    It counts once both sides signed."""


class LeftStation(Frozen):
    """The full cylinder leaves the station with a worker (出站)."""

    type: ClassVar[str] = "left_station"
    station_id: Id
    worker_id: Id
    vehicle_id: Id | None = None
    order_no: Id | None = None


class Sold(Frozen):
    """Real-name sale (实名销售) at the door. The buyer is a commitment; the identity lies in the vault."""

    type: ClassVar[str] = "sold"
    order_no: Id
    point_id: Id
    worker_id: Id
    customer_id: Id
    identity_commitment: Sha256
    """SHA-256 of salt and identity; salt and identity are kept encrypted outside the ledger."""
    safety_check_passed: bool
    """Whether the check at the user's home that goes with each delivery (随瓶安检) was passed."""


class SafetyItem(Frozen):
    """One item of the check at the user's home, H1 to H13, and what was found."""

    item: Id
    result: Literal["passed", "rectify", "stop_supply", "not_applicable"]
    """合格、整改、停止供气、不适用."""


class SafetyChecked(Frozen):
    """The check at the user's home that goes with a delivery, item by item (随瓶安检).

    A user who was out or refused is recorded as such (到访未遇、拒检), never as passed.
    """

    type: ClassVar[str] = "safety_checked"
    order_no: Id
    customer_id: Id
    worker_id: Id
    outcome: Literal["passed", "rectify", "stop_supply", "not_met", "refused"]
    items: Annotated[tuple[SafetyItem, ...], Field(max_length=40)] = ()
    remark: Text | None = None
    evidence: tuple[Evidence, ...] = ()


class Returned(Frozen):
    """The empty cylinder came back to a station (空瓶回收)."""

    type: ClassVar[str] = "returned"
    station_id: Id
