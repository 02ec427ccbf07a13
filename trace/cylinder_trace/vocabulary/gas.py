"""Gas lots: what came into the tank, what a laboratory found, whether it may go out (气质批次)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cylinder_trace.values import Evidence, Frozen, Id, Text

BulkGrams = Annotated[int, Field(ge=0, le=10**12)]
"""The mass of a lot in grams, up to a million tonnes."""
PartsPerMillion = Annotated[int, Field(ge=0, le=1_000_000)]


class GasLotReceived(Frozen):
    """A lot of gas came in (气质批次到货)."""

    type: ClassVar[str] = "gas_lot_received"
    station_id: Id
    supplier_id: Id
    product: Literal["lpg", "industrial_propane", "other"]
    """液化石油气、工业丙烷、其他; only the first may go to kitchens."""
    mass_g: BulkGrams
    document_no: Text
    evidence: tuple[Evidence, ...] = ()


class GasLotTested(Frozen):
    """A laboratory tested the lot (气质检测): dimethyl ether (二甲醚) and odour (加臭)."""

    type: ClassVar[str] = "gas_lot_tested"
    laboratory_id: Id
    report_no: Text
    passed: bool
    dimethyl_ether_ppm: PartsPerMillion | None = None
    odorant_present: bool | None = None
    evidence: tuple[Evidence, ...] = ()


class GasLotReleased(Frozen):
    """The lot may be filled into cylinders (气质批次放行)."""

    type: ClassVar[str] = "gas_lot_released"
    released_by: Id
    report_no: Text


class GasLotBlocked(Frozen):
    """The lot may not, or no longer, be filled (气质批次停用)."""

    type: ClassVar[str] = "gas_lot_blocked"
    blocked_by: Id
    cause: Text
