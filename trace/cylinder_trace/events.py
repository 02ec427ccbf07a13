"""What can happen: one frozen class per event, one closed union, and the record that carries an event.

Law of evolution (never broken, because stored text is hashed):
  * a field may be added only with a default that means "absent"; absent fields are not written;
  * a field's meaning, unit or type never changes, and no field is removed;
  * a changed meaning is a new event class with a new `type` word; the old class stays readable for ever;
  * `v` of a record changes only if the envelope itself changes.
Facts are never rewritten: a correction is a new event that names the old one.

A *record* is what an author states; an *entry* is a record with its place in the ledger (``chain`` seals it).
Personal data never enters an event: a sale carries a salted commitment to it (see ``Sold``).
"""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from cylinder_trace.canonical import canonical_json, parse_canonical
from cylinder_trace.decision import Decision, FillRequest, StationFacts
from cylinder_trace.values import (
    CodeText,
    Count,
    Day,
    Frozen,
    Grams,
    Id,
    Instant,
    LongText,
    Millilitres,
    Month,
    Sha256,
    Subject,
    Text,
)

# --- the life of a cylinder ---------------------------------------------------------------------------------


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


class CylinderRegistered(Frozen):
    """Put on file with its stamp and owner (建档、使用登记); `registration_no` absent = not yet registered."""

    type: ClassVar[str] = "cylinder_registered"
    stamp: Stamp
    owner_id: Id
    medium: Literal["lpg"] = "lpg"
    registration_no: Text | None = None
    in_service_on: Day


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


class OwnershipTransferred(Frozen):
    """Change of owner (产权变更)."""

    type: ClassVar[str] = "ownership_transferred"
    from_owner_id: Id
    to_owner_id: Id
    cosigned: bool
    """Whether the old owner signed too."""


class Inspected(Frozen):
    """Result of a periodic inspection (定期检验) with the months on the inspection ring."""

    type: ClassVar[str] = "inspected"
    body_id: Id
    inspected_month: Month
    next_due_month: Month | None = None
    result: Literal["passed", "failed"]
    report_no: Text
    tare_g: Grams | None = None


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


FlagKind = Literal["black", "refurbished", "recalled", "lost"]
"""black 黑气瓶 · refurbished 翻新 · recalled 召回 · lost 丢失/协查."""


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


class FillDecided(Frozen):
    """A decision whether gas may flow (准充决定), with everything it was taken from.

    A refused scan of an unreadable or unknown code has no cylinder; its subject is then the station.
    """

    type: ClassVar[str] = "fill_decided"
    request: FillRequest
    station: StationFacts
    decision: Decision
    decided_by: Literal["service", "station"]
    own_act_ids: tuple[Id, ...] | None = None
    """The station's own acts that the ledger had not shown it yet: the last of the `cylinder_n` entries known."""


class Filled(Frozen):
    """Gas went in (充装), under the permit of decision `check_id`."""

    type: ClassVar[str] = "filled"
    check_id: Id
    station_id: Id
    scale_id: Id
    lane: Count
    worker_id: Id
    started_at: Instant
    ended_at: Instant
    empty_gross_g: Grams
    full_gross_g: Grams
    net_g: Grams
    """Gas in the cylinder after the fill, residue included, against the stamped tare."""
    ended_because: Literal["limit_reached", "stopped", "fault"]


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


class Returned(Frozen):
    """The empty cylinder came back to a station (空瓶回收)."""

    type: ClassVar[str] = "returned"
    station_id: Id


class SentToInspection(Frozen):
    """Left for the inspection body (送检)."""

    type: ClassVar[str] = "sent_to_inspection"
    body_id: Id


class DisputeRaised(Frozen):
    """Two accounts of the same act differ (争议): nothing is rejected away, a person looks."""

    type: ClassVar[str] = "dispute_raised"
    about_id: Id
    kind: Id
    message: Text


# --- stations, devices, rulebooks ---------------------------------------------------------------------------


class StationLicensed(Frozen):
    """State of the filling licence (充装许可)."""

    type: ClassVar[str] = "station_licensed"
    company_id: Id
    licence_no: Text
    valid_until: Day
    suspended: bool = False
    region: Text


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
    """A regulator unlocks a scale."""

    type: ClassVar[str] = "scale_unlocked"
    scale_id: Id
    authority_id: Id
    cause: Text


class WorkerCertified(Frozen):
    """Certificate of a filler (作业人员证)."""

    type: ClassVar[str] = "worker_certified"
    worker_id: Id
    valid_until: Day


class DeviceEnrolled(Frozen):
    """A station's device key is trusted from now on (设备入网)."""

    type: ClassVar[str] = "device_enrolled"
    station_id: Id
    vkey: Text


class HeadSigned(Frozen):
    """A device signs the head of its own chain: one signature covers all records before it."""

    type: ClassVar[str] = "head_signed"
    seq: Count
    head: Sha256
    signature: Text


class RulebookPublished(Frozen):
    """A rulebook comes into the ledger whole, so that its decisions can be replayed from the ledger alone."""

    type: ClassVar[str] = "rulebook_published"
    rulebook_id: Id
    version: Id
    text: LongText


Event = (
    CylinderRegistered
    | CodeBound
    | CodeVoided
    | RegistrationWithdrawn
    | OwnershipTransferred
    | Inspected
    | Evaluated
    | Condemned
    | Destroyed
    | Flagged
    | FlagCleared
    | FillDecided
    | Filled
    | Sold
    | Returned
    | SentToInspection
    | DisputeRaised
    | StationLicensed
    | ScaleVerified
    | ScaleLocked
    | ScaleUnlocked
    | WorkerCertified
    | DeviceEnrolled
    | HeadSigned
    | RulebookPublished
)
"""Everything that can happen; closed: an unknown word is refused, never guessed."""

EVENT_CLASSES: dict[str, type[Event]] = {cls.type: cls for cls in get_args(Event)}


# --- the record: an author's statement ----------------------------------------------------------------------


class EventError(ValueError):
    """The record does not say something that can happen; the message names the field."""


class DeviceLink(Frozen):
    """The record's place in its device's own chain: sequence and hash of the device's previous record."""

    id: Id
    seq: Count
    prev: Sha256


class Record(Frozen):
    """An author's statement that something happened.

    `id` is made where the act happens and is its idempotency key; `occurred_at` is the author's clock.
    """

    v: Literal[1] = 1
    id: Id
    subject: Subject
    type: Id
    occurred_at: Instant
    by: Id
    refs: Annotated[tuple[Subject, ...], Field(max_length=16)] = ()
    """The others this act touches (station, worker, lot); they are looked up by these."""
    act_id: Id | None = None
    """Common to the entries of one act on many cylinders."""
    device: DeviceLink | None = None
    data: dict[str, Any]

    def event(self) -> Event:
        """The typed event in `data`; raises EventError if `type` is unknown or `data` does not fit it."""
        return parse_event(self.type, self.data)


def parse_event(type_word: str, data: dict[str, Any]) -> Event:
    """The event that `type_word` and `data` state; raises EventError naming the field that does not fit."""
    cls = EVENT_CLASSES.get(type_word)
    if cls is None:
        raise EventError(f"type: no event is called {type_word!r}")
    try:
        return cls.model_validate_json(canonical_json(data))
    except ValueError as error:
        raise EventError(f"{type_word}: {first_fault(error)}") from error


def first_fault(error: ValueError) -> str:
    """The first fault of a validation error as ``field: message``."""
    faults = getattr(error, "errors", None)
    if faults is None:
        return str(error)
    first = faults(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def state_event(
    event: Event,
    *,
    id: str,
    subject: str,
    occurred_at: int,
    by: str,
    refs: tuple[str, ...] = (),
    act_id: str | None = None,
    device: DeviceLink | None = None,
) -> Record:
    """The record in which `by` states `event` about `subject`."""
    return Record(
        id=id,
        subject=subject,
        type=event.type,
        occurred_at=occurred_at,
        by=by,
        refs=refs,
        act_id=act_id,
        device=device,
        data=event.model_dump(mode="json", exclude_none=True),
    )


def record_text(record: Record) -> bytes:
    """The canonical text of a record: what a device chains, signs and uploads."""
    return canonical_json(record.model_dump(mode="json", include=RECORD_FIELDS, exclude_none=True))


RECORD_FIELDS: set[str] = set(Record.model_fields)


def parse_record(text: bytes) -> Record:
    """The record in a canonical text; raises CanonicalError or EventError, and checks the event inside."""
    parse_canonical(text)
    try:
        record = Record.model_validate_json(text)
    except ValueError as error:
        raise EventError(first_fault(error)) from error
    record.event()
    return record


# --- the entry: a record with its place ---------------------------------------------------------------------


class Entry(Record):
    """A record with its place in the ledger: position in its subject's chain, predecessor, ledger's clock."""

    n: Count
    prev: Sha256
    """Hash of the subject's previous entry, or 64 zeros."""
    recorded_at: Instant

    def record(self) -> Record:
        """The author's statement alone, as the author wrote it."""
        return Record.model_construct(**{name: getattr(self, name) for name in RECORD_FIELDS})


def parse_entry(text: bytes) -> Entry:
    """The entry in a stored text; raises ValueError if it does not have an entry's shape."""
    return Entry.model_validate_json(text)
