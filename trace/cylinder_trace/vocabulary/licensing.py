"""Stations, companies, workers, scales, devices and rulebooks: who may do what (许可、证书、检定、设备)."""

from typing import ClassVar, Literal

from cylinder_trace.values import Count, Day, Evidence, Frozen, Id, LongText, Sha256, Text

Standing = Literal["valid", "suspended", "revoked"]
"""有效、暂扣停业、吊销."""


class StationLicensed(Frozen):
    """State of the filling licence (充装许可)."""

    type: ClassVar[str] = "station_licensed"
    company_id: Id
    licence_no: Text
    valid_until: Day
    suspended: bool = False
    region: Text


class LicenceRecorded(Frozen):
    """A company's licence, as given, changed, suspended or revoked (许可变更)."""

    type: ClassVar[str] = "licence_recorded"
    licence_no: Text
    scope: Literal["making", "filling", "gas_business", "inspection", "transport"]
    """制造、充装、燃气经营、检验检测、危货运输."""
    authority_id: Id
    valid_from: Day
    valid_until: Day
    standing: Standing = "valid"
    evidence: tuple[Evidence, ...] = ()


class CertificateRecorded(Frozen):
    """A worker's certificate, as given, changed, suspended or revoked (证书变更)."""

    type: ClassVar[str] = "certificate_recorded"
    certificate_no: Text
    scope: Literal["filling", "inspection", "delivery", "driving", "management"]
    """充装、检验、送气、危货驾驶、安全管理."""
    authority_id: Id
    valid_from: Day
    valid_until: Day
    standing: Standing = "valid"
    banned_until: Day | None = None
    """No certificate of this scope before this day, as after twelve points (三年内不得从事)."""
    evidence: tuple[Evidence, ...] = ()


class WorkerCertified(Frozen):
    """Certificate of a filler (作业人员证)."""

    type: ClassVar[str] = "worker_certified"
    worker_id: Id
    valid_until: Day


class ScaleVerified(Frozen):
    """Verification of a filling scale (秤检定)."""

    type: ClassVar[str] = "scale_verified"
    scale_id: Id
    valid_until: Day


class ScaleLocked(Frozen):
    """A regulator locks a scale (监管锁秤)."""

    type: ClassVar[str] = "scale_locked"
    scale_id: Id
    authority_id: Id
    cause: Text


class ScaleUnlocked(Frozen):
    """A regulator unlocks a scale (解除锁秤)."""

    type: ClassVar[str] = "scale_unlocked"
    scale_id: Id
    authority_id: Id
    cause: Text


class DeviceEnrolled(Frozen):
    """A station's device key is trusted from now on (设备入网)."""

    type: ClassVar[str] = "device_enrolled"
    station_id: Id
    vkey: Text


class DeviceRevoked(Frozen):
    """A station's device is cut off (设备停用): nothing it sends later counts; what it signed before stands."""

    type: ClassVar[str] = "device_revoked"
    cause: Text


class HeadSigned(Frozen):
    """A device signs the head of its own chain (设备链签名): one signature covers all records before it."""

    type: ClassVar[str] = "head_signed"
    seq: Count
    head: Sha256
    signature: Text


class JournalForked(Frozen):
    """A device told two records for one place of its chain (设备日志分叉): from here on it tells another branch.

    An old copy of its disk is in use, or a clone of it.  Both branches are kept, and the device is cut off.
    """

    type: ClassVar[str] = "journal_forked"
    seq: Count
    """Of the first record of the second branch."""
    previous: Sha256
    """The record before it, as it names that one."""
    first: Sha256
    """Hash of the first record of the second branch."""


class RulebookPublished(Frozen):
    """A rulebook comes into the ledger whole (规则发布): its decisions can be replayed from the ledger alone."""

    type: ClassVar[str] = "rulebook_published"
    rulebook_id: Id
    version: Id
    text: LongText
