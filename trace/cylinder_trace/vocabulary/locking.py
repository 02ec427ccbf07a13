"""Locks of the regulator on filling, and the keys that sign them (监管锁停、监管公钥)."""

from typing import ClassVar, Literal

from cylinder_trace.values import Count, Frozen, Id, Instant, LongText, Text
from cylinder_trace.vocabulary.licensing import Standing

LockTarget = Literal["station", "lane", "scale"]
"""全站、工位、秤."""


class FillingLocked(Frozen):
    """A regulator stops filling at a station, a lane or a scale (监管锁停)."""

    type: ClassVar[str] = "filling_locked"
    target: LockTarget
    lane: Count | None = None
    """Of a lane."""
    scale_id: Id | None = None
    """Of a scale."""
    authority_id: Id
    cause: Text
    until: Instant | None = None
    """From this moment on it stops nothing any more; absent: until it is lifted."""
    note: LongText | None = None
    """The authority's signed statement (``locks``). A lock counts without one, too."""
    signed_by: Text | None = None
    """The authority's key that the ledger found below `note`; absent: none that it trusts."""


class FillingUnlocked(Frozen):
    """A regulator lets filling go on where it was stopped (解除锁停): every lock on just this target from before."""

    type: ClassVar[str] = "filling_unlocked"
    target: LockTarget
    lane: Count | None = None
    scale_id: Id | None = None
    authority_id: Id
    cause: Text
    note: LongText
    signed_by: Text


class CompanyLicenceNoted(Frozen):
    """What its company's filling licence means for a station (企业许可状态): no gas while it does not stand."""

    type: ClassVar[str] = "company_licence_noted"
    company_id: Id
    licence_no: Text
    standing: Standing


class AuthorityKeyTrusted(Frozen):
    """A key signs for an authority from now on (监管公钥登记)."""

    type: ClassVar[str] = "authority_key_trusted"
    vkey: Text


class AuthorityKeyRevoked(Frozen):
    """A key signs for its authority no more (监管公钥停用); what it signed before stands."""

    type: ClassVar[str] = "authority_key_revoked"
    vkey: Text
    cause: Text
