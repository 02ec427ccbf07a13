"""What a cylinder is and what it is called: maker's record, registration, codes (制造、登记、赋码)."""

from typing import ClassVar, Literal

from cylinder_trace.values import CodeText, Count, Day, Evidence, Frozen, Grams, Id, Millilitres, Month, Text


class Stamp(Frozen):
    """What is stamped into the steel (钢印); compared at the scan, because a QR alone can be copied."""

    maker: Text
    serial: Text
    model: Text
    manufactured_month: Month | None = None
    """Absent when unreadable or ground off, which condemns the cylinder (R25)."""
    tare_g: Grams
    water_volume_ml: Millilitres
    max_fill_g: Grams
    design_life_months: Count | None = None


class TechnicalFile(Frozen):
    """What the papers and the steel say about how it was built (技术档案). What is absent was never looked at."""

    certificate: Literal["present", "missing"] | None = None
    """Product certificate and certificate of supervised inspection (产品合格证、监检证)."""
    maker_licensed: bool | None = None
    """Whether its maker held a licence when it was made (制造许可)."""
    head_mark: Literal["present", "missing"] | None = None
    """The filling company's mark, pressed into the head when it was made (封头凹印)."""
    head_mark_owner_id: Id | None = None
    """Whose mark it is."""
    collar: Literal["welded", "threaded"] | None = None
    """焊接护罩、螺纹护罩(螺丝瓶)."""
    phase: Literal["gas", "liquid", "dual"] | None = None
    """气相、液相、气液双相."""
    phase_marked: bool | None = None
    """Whether a cylinder for both phases is painted as such (气液双相瓶、仅用于气化装置)."""
    valve: Literal["self_closing", "angle"] | None = None
    """自闭阀、直阀角阀."""


class CylinderMade(Frozen):
    """The maker's record (制造登记): stamp as struck, batch, certificates. It may come before the registration."""

    type: ClassVar[str] = "cylinder_made"
    maker_id: Id
    stamp: Stamp
    made_on: Day
    certificate_no: Text
    """Product certificate (产品合格证)."""
    batch_no: Text | None = None
    """The batch that a recall may name."""
    supervision_no: Text | None = None
    """Certificate of the supervised inspection of making (制造监检证)."""
    evidence: tuple[Evidence, ...] = ()


class CylinderRegistered(Frozen):
    """Put on file with its stamp and owner (建档、使用登记); `registration_no` absent = not yet registered."""

    type: ClassVar[str] = "cylinder_registered"
    stamp: Stamp
    owner_id: Id
    medium: Literal["lpg"] = "lpg"
    registration_no: Text | None = None
    in_service_on: Day
    technical: TechnicalFile | None = None
    region: Text | None = None
    """Where it may be filled (充装区域); absent = not bound to a region."""


class UseRegistered(Frozen):
    """The authority gives a cylinder on file its use registration (使用登记). 特种设备安全法 33."""

    type: ClassVar[str] = "use_registered"
    registration_no: Text
    authority_id: Id
    registered_on: Day
    evidence: tuple[Evidence, ...] = ()


class RegistrationCancelled(Frozen):
    """The use registration is cancelled for ever (注销), as of a scrapped cylinder. 特种设备安全法 48."""

    type: ClassVar[str] = "registration_cancelled"
    authority_id: Id
    receipt_no: Text
    """Number of the authority's receipt (注销回执)."""
    cause: Text
    evidence: tuple[Evidence, ...] = ()


CodeScheme = Literal["own", "grai", "giai", "province", "registration", "stamp", "tid", "maker"]
"""Who gave out a code: we, a GS1 key's holder, a province, a registrar, the stamp, the chip's or cylinder's maker."""


class CodeBound(Frozen):
    """A code is given to the cylinder (赋码): its own, or another name it has already, an alias (别名)."""

    type: ClassVar[str] = "code_bound"
    code: CodeText
    scheme: CodeScheme = "own"


class RegistrationWithdrawn(Frozen):
    """A registration that an import made by mistake is taken back (撤销登记), before the cylinder has lived.

    Nothing is erased: the cylinder stays on file as withdrawn, is never filled, and its codes are free to be bound to
    the cylinder that they truly belong to.
    """

    type: ClassVar[str] = "registration_withdrawn"
    import_id: Id
    """The import that is undone."""
    company_id: Id
    """The company whose import it was, in whose name it is undone."""
    cause: Text


class CodeVoided(Frozen):
    """A code is dead for ever (注销码): never issued again, every later scan is an alarm."""

    type: ClassVar[str] = "code_voided"
    code: CodeText
    cause: Text


class RetagRequested(Frozen):
    """Somebody asks for a new tag (换标申请): the old one is lost, damaged or unreadable. The record's id names it."""

    type: ClassVar[str] = "retag_requested"
    old_code: CodeText
    cause: Text
    stamp_serial_seen: Text
    """What is struck into the steel (钢印编号), read by the person who asks: a tag is never moved without it."""
    evidence: tuple[Evidence, ...] = ()


class RetagApproved(Frozen):
    """A request for a new tag is approved (换标批准): the old code is dead for ever from now on.

    The new code comes with a ``code_bound`` of the same act (`act_id`); without an approval none replaces a code.
    """

    type: ClassVar[str] = "retag_approved"
    request_id: Id
    old_code: CodeText
    new_code: CodeText
    approver_id: Id


class RetagRefused(Frozen):
    """A request for a new tag is refused (换标不予批准); the old code stays what it was."""

    type: ClassVar[str] = "retag_refused"
    request_id: Id
    approver_id: Id
    cause: Text
