"""Marks that keep a cylinder from use: flags, seizure, loss, recall (标记、查封、丢失、召回)."""

from typing import ClassVar, Literal

from pydantic import model_validator

from cylinder_trace.values import Evidence, Frozen, Id, Month, Sha256, Text

FlagKind = Literal[
    "black", "refurbished", "recalled", "lost", "converted", "unlicensed_maker", "double_registered", "cloned"
]
"""黑气瓶 · 翻新 · 召回 · 丢失/协查 · 改装、擅改标志 · 无制造许可 · 多家登记 · 一码多瓶."""


class Flagged(Frozen):
    """An authority marks the cylinder (标记)."""

    type: ClassVar[str] = "flagged"
    flag: FlagKind
    authority_id: Id
    cause: Text
    evidence_sha256: tuple[Sha256, ...] = ()


class FlagCleared(Frozen):
    """An authority lifts a mark (撤销标记)."""

    type: ClassVar[str] = "flag_cleared"
    flag: FlagKind
    authority_id: Id
    cause: Text


class Seized(Frozen):
    """An authority seals or takes away the cylinder (查封扣押)."""

    type: ClassVar[str] = "seized"
    authority_id: Id
    document_no: Text
    """Number of the order (文书号)."""
    cause: Text
    place_id: Id | None = None
    evidence: tuple[Evidence, ...] = ()


class Released(Frozen):
    """An authority lifts a seizure (解除查封)."""

    type: ClassVar[str] = "released"
    authority_id: Id
    document_no: Text
    cause: Text


class ReportedLost(Frozen):
    """Its holder reports the cylinder lost or stolen (丢失)."""

    type: ClassVar[str] = "reported_lost"
    holder_id: Id
    cause: Text
    report_no: Text | None = None
    """Number of the report to the police (报案号)."""


class Found(Frozen):
    """A cylinder reported lost was found (找回). It lifts its holder's report, never a mark of an authority."""

    type: ClassVar[str] = "found"
    holder_id: Id
    place_id: Id | None = None
    cause: Text


class RecallOpened(Frozen):
    """A maker or an authority recalls a model, a batch or a gas lot (召回). Each cylinder gets a `Recalled` of its own.

    What is absent does not narrow the recall: without `batch_no` and months it is the whole model of that maker.  A
    recall of a gas lot is about the cylinders whose last fill came from it.
    """

    type: ClassVar[str] = "recall_opened"
    issuer_id: Id
    maker: Text | None = None
    """Absent only where a gas lot is recalled."""
    model: Text | None = None
    batch_no: Text | None = None
    made_from: Month | None = None
    made_to: Month | None = None
    lot_id: Id | None = None
    cause: Text
    evidence: tuple[Evidence, ...] = ()
    maker_id: Id | None = None
    """Only cylinders that this maker's own record is about: a maker calls back what it made, and nobody else's."""

    @model_validator(mode="after")
    def _names_something(self) -> "RecallOpened":
        if self.maker is None and self.lot_id is None:
            raise ValueError("a recall names a maker or a gas lot")
        return self


class RecallClosed(Frozen):
    """A recall of a model or batch is lifted (解除召回); the cylinders under it are released one by one."""

    type: ClassVar[str] = "recall_closed"
    issuer_id: Id
    cause: Text


class Recalled(Frozen):
    """This cylinder falls under a recall (召回到瓶)."""

    type: ClassVar[str] = "recalled"
    recall_id: Id
    cause: Text


class RecallLifted(Frozen):
    """This cylinder is free of a recall: mended, checked, or the recall was lifted (解除召回到瓶)."""

    type: ClassVar[str] = "recall_lifted"
    recall_id: Id
    cause: Text
