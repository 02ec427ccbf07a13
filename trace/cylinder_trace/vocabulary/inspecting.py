"""The inspection body: sent, items, valve, result, evaluation, condemned, destroyed (检验、评定、报废、去功能化)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cylinder_trace.values import Count, Evidence, Frozen, Grams, Id, Month, Sha256, Text


class SentToInspection(Frozen):
    """Left for the inspection body (送检)."""

    type: ClassVar[str] = "sent_to_inspection"
    body_id: Id


InspectionItem = Literal[
    "residue",
    "valve_removal",
    "appearance",
    "valve_seat",
    "wall_thickness",
    "volume",
    "hydrostatic",
    "valve",
    "airtightness",
    "vacuum",
    "marking",
]
"""残液处理 · 卸阀 · 外观 · 瓶口螺纹 · 壁厚 · 容积 · 水压 · 瓶阀 · 气密 · 抽真空 · 标记 (chapters of GB/T 8334)."""
MANDATORY_ITEMS: frozenset[InspectionItem] = frozenset(
    {
        "residue",
        "valve_removal",
        "appearance",
        "valve_seat",
        "wall_thickness",
        "hydrostatic",
        "valve",
        "airtightness",
        "vacuum",
        "marking",
    }
)
"""Without each of these there is no 合格; the volume is a supplementary item."""


class InspectionItemRecorded(Frozen):
    """One item of a periodic inspection with its result and reading (检验项目结果), by two different persons."""

    type: ClassVar[str] = "inspection_item_recorded"
    body_id: Id
    report_no: Text
    item: InspectionItem
    result: Literal["passed", "failed", "not_applicable"]
    inspector_id: Id
    reviewer_id: Id
    reading: Count | None = None
    """What was measured, in `unit`; a pressure trace or picture is evidence."""
    unit: Literal["um", "kpa", "ml", "g", "s", "pa"] | None = None
    device_id: Id | None = None
    """The instrument."""
    evidence: tuple[Evidence, ...] = ()


class ValveChanged(Frozen):
    """The valve was replaced (阀更换)."""

    type: ClassVar[str] = "valve_changed"
    body_id: Id
    removed_serial: Text | None = None
    maker: Text
    serial: Text
    made_month: Month
    evidence: tuple[Evidence, ...] = ()


class Inspected(Frozen):
    """Result of a periodic inspection (定期检验) with the months on the inspection ring."""

    type: ClassVar[str] = "inspected"
    body_id: Id
    inspected_month: Month
    next_due_month: Month | None = None
    result: Literal["passed", "failed"]
    report_no: Text
    tare_g: Grams | None = None
    items: Annotated[tuple[InspectionItem, ...], Field(max_length=11)] | None = None
    """The items that were done and passed; absent where only the mark is known, as on cylinders taken over."""
    body_licensed: bool | None = None
    """Whether the register shows the body's licence in force on that day (检验核准).

    Absent = not looked up, or the register holds no inspection licence of that body at all."""
    items_recorded: bool | None = None
    """Whether each mandatory item stands in the ledger as passed under this report (逐项记录).

    Absent = not looked up, or none was recorded by itself."""


class Evaluated(Frozen):
    """Safety evaluation at the end of the design life (安全评定), with changed registration."""

    type: ClassVar[str] = "evaluated"
    body_id: Id
    passed: bool
    valid_until_month: Month | None = None
    report_no: Text


class Condemned(Frozen):
    """Judged fit for scrapping only (报废判定)."""

    type: ClassVar[str] = "condemned"
    body_id: Id
    cause: Text


class Destroyed(Frozen):
    """Made unusable (去功能化), with hashes of the evidence pictures."""

    type: ClassVar[str] = "destroyed"
    body_id: Id
    method: Literal["cut", "crushed", "burst"]
    evidence_sha256: tuple[Sha256, ...]
