"""What can happen: one frozen class per event, one closed union, and the record that carries an event.

Law of evolution (never broken, because stored text is hashed):
  * a field may be added only with a default that means "absent"; absent fields are not written;
  * a field's meaning, unit or type never changes, and no field is removed;
  * a changed meaning is a new event class with a new `type` word; the old class stays readable for ever;
  * an event's version is in its word: ``inspected`` is version 1, a second would be ``inspected_v2`` (`event_version`),
    so that a reader who does not know it refuses it by name and never misreads it;
  * `v` of a record is the version of the envelope and changes only if the envelope itself changes.
Facts are never rewritten: a correction is a new event that names the old one.

A *record* is what an author states; an *entry* is a record with its place in the ledger (``chain`` seals it).
Personal data never enters an event: a sale carries a salted commitment to it (see ``Sold``).
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, NamedTuple, cast, get_args

from pydantic import Field, create_model

from cylinder_trace.canonical import CanonicalError, canonical_json, parse_canonical
from cylinder_trace.values import Count, Frozen, Id, Instant, Sha256, Subject
from cylinder_trace.vocabulary.capturing import EpcisCaptured
from cylinder_trace.vocabulary.correcting import (
    Corrected,
    DisputeRaised,
    DisputeResolved,
)
from cylinder_trace.vocabulary.filling import (
    CheckItem,
    FillDecided,
    Filled,
    FillStarted,
    PostfillChecked,
    PrefillChecked,
    Reweighed,
)
from cylinder_trace.vocabulary.gas import (
    GasLotBlocked,
    GasLotReceived,
    GasLotReleased,
    GasLotTested,
)
from cylinder_trace.vocabulary.holding import (
    HandedOver,
    LeftStation,
    OwnershipTransferred,
    Returned,
    SafetyChecked,
    SafetyItem,
    Sold,
)
from cylinder_trace.vocabulary.inspecting import (
    Condemned,
    Destroyed,
    Evaluated,
    Inspected,
    InspectionItemRecorded,
    SentToInspection,
    ValveChanged,
)
from cylinder_trace.vocabulary.licensing import (
    CertificateRecorded,
    DeviceEnrolled,
    DeviceRevoked,
    HeadSigned,
    JournalForked,
    LicenceRecorded,
    RulebookPublished,
    ScaleLocked,
    ScaleUnlocked,
    ScaleVerified,
    StationLicensed,
    WorkerCertified,
)
from cylinder_trace.vocabulary.locking import (
    AuthorityKeyRevoked,
    AuthorityKeyTrusted,
    CompanyLicenceNoted,
    FillingLocked,
    FillingUnlocked,
)
from cylinder_trace.vocabulary.naming import (
    CodeBound,
    CodeScheme,
    CodeVoided,
    CylinderMade,
    CylinderRegistered,
    RegistrationCancelled,
    RegistrationWithdrawn,
    RetagApproved,
    RetagRefused,
    RetagRequested,
    Stamp,
    UseRegistered,
)
from cylinder_trace.vocabulary.privacy import PersonalDataErased, PersonalDataRead
from cylinder_trace.vocabulary.supervising import (
    FlagCleared,
    Flagged,
    FlagKind,
    Found,
    RecallClosed,
    Recalled,
    RecallLifted,
    RecallOpened,
    Released,
    ReportedLost,
    Seized,
)
from cylinder_trace.vocabulary.watching import AlarmFact, AlarmRaised, ShiftChanged

__all__ = [
    "EVENT_CLASSES",
    "RECORD_FIELDS",
    "AlarmFact",
    "AlarmRaised",
    "AuthorityKeyRevoked",
    "AuthorityKeyTrusted",
    "CertificateRecorded",
    "CheckItem",
    "CodeBound",
    "CodeScheme",
    "CodeVoided",
    "CompanyLicenceNoted",
    "Condemned",
    "Corrected",
    "CylinderMade",
    "CylinderRegistered",
    "Destroyed",
    "DeviceEnrolled",
    "DeviceLink",
    "DeviceRevoked",
    "DisputeRaised",
    "DisputeResolved",
    "Entry",
    "EpcisCaptured",
    "Evaluated",
    "Event",
    "EventError",
    "FillDecided",
    "FillStarted",
    "Filled",
    "FillingLocked",
    "FillingUnlocked",
    "FlagCleared",
    "FlagKind",
    "Flagged",
    "Found",
    "GasLotBlocked",
    "GasLotReceived",
    "GasLotReleased",
    "GasLotTested",
    "HandedOver",
    "HeadSigned",
    "Inspected",
    "InspectionItemRecorded",
    "JournalForked",
    "LeftStation",
    "LicenceRecorded",
    "OwnershipTransferred",
    "PersonalDataErased",
    "PersonalDataRead",
    "PostfillChecked",
    "PrefillChecked",
    "RecallClosed",
    "RecallLifted",
    "RecallOpened",
    "Recalled",
    "Record",
    "RegistrationCancelled",
    "RegistrationWithdrawn",
    "Released",
    "ReportedLost",
    "RetagApproved",
    "RetagRefused",
    "RetagRequested",
    "Returned",
    "Reweighed",
    "RulebookPublished",
    "SafetyChecked",
    "SafetyItem",
    "ScaleLocked",
    "ScaleUnlocked",
    "ScaleVerified",
    "Seized",
    "SentToInspection",
    "ShiftChanged",
    "Sold",
    "Stamp",
    "Stated",
    "StationLicensed",
    "UseRegistered",
    "ValveChanged",
    "WorkerCertified",
    "event_version",
    "first_fault",
    "parse_entry",
    "parse_entry_and_event",
    "parse_event",
    "parse_record",
    "record_text",
    "state_event",
]

Event = (
    # the cylinder and its names
    CylinderMade
    | CylinderRegistered
    | UseRegistered
    | RegistrationCancelled
    | CodeBound
    | RegistrationWithdrawn
    | CodeVoided
    | RetagRequested
    | RetagApproved
    | RetagRefused
    # filling
    | PrefillChecked
    | FillDecided
    | FillStarted
    | Filled
    | PostfillChecked
    | Reweighed
    # owner, custody, delivery
    | OwnershipTransferred
    | HandedOver
    | LeftStation
    | Sold
    | SafetyChecked
    | Returned
    # inspection and end
    | SentToInspection
    | InspectionItemRecorded
    | ValveChanged
    | Inspected
    | Evaluated
    | Condemned
    | Destroyed
    # marks
    | Flagged
    | FlagCleared
    | Seized
    | Released
    | ReportedLost
    | Found
    | RecallOpened
    | RecallClosed
    | Recalled
    | RecallLifted
    # gas
    | GasLotReceived
    | GasLotTested
    | GasLotReleased
    | GasLotBlocked
    # who may do what
    | StationLicensed
    | LicenceRecorded
    | CertificateRecorded
    | WorkerCertified
    | ScaleVerified
    | ScaleLocked
    | ScaleUnlocked
    | FillingLocked
    | FillingUnlocked
    | CompanyLicenceNoted
    | AuthorityKeyTrusted
    | AuthorityKeyRevoked
    | DeviceEnrolled
    | DeviceRevoked
    | HeadSigned
    | JournalForked
    | RulebookPublished
    # what a station sees at its lanes
    | AlarmRaised
    | ShiftChanged
    # personal data beside the ledger
    | PersonalDataRead
    | PersonalDataErased
    # what others stated
    | EpcisCaptured
    # what was told wrongly
    | Corrected
    | DisputeRaised
    | DisputeResolved
)
"""Everything that can happen; closed: an unknown word is refused, never guessed."""

EVENT_CLASSES: dict[str, type[Event]] = {cls.type: cls for cls in get_args(Event)}


def event_version(type_word: str) -> int:
    """The version of the event that a word names; a word without a number is the first.

    >>> event_version("inspected"), event_version("inspected_v2")
    (1, 2)
    """
    base, found, number = type_word.rpartition("_v")
    return int(number) if found and base and number.isdecimal() else 1


# --- the record: an author's statement ----------------------------------------------------------------------


class EventError(ValueError):
    """The record does not say something that can happen; the message names the field."""


class DeviceLink(Frozen):
    """The record's place in its device's own chain: sequence and hash of the device's previous record."""

    id: Id
    seq: Count
    prev: Sha256


class Stated(NamedTuple):
    """What a record says, checked: its event, and its text in the three parts between which an entry's place goes."""

    event: Event
    before: bytes
    """``{"act_id":…,"by":…,"data":{…},"device":{…},"id":…,``"""
    moment: bytes
    """``"occurred_at":…,``"""
    after: bytes
    """``"refs":[…],"subject":…,"type":…,"v":1}``"""


class Record(Frozen):
    """An author's statement that something happened.

    `id` is made where the act happens and is its idempotency key; `occurred_at` is the author's clock.
    """

    # What `stated` found out. A slot, because a copy that says something else must not take it over: pydantic copies,
    # compares and writes out the fields alone.
    __slots__ = ("_stated",)

    v: Annotated[int, Field(ge=1, le=1)] = 1
    """Version of the envelope; an integer and not `Literal[1]`, which would take ``true`` for 1."""
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
        known = _remembered(self)
        return known.event if known else parse_event(self.type, self.data)

    def stated(self) -> Stated:
        """The event in `data` and the canonical text of all, checked once; raises EventError, CanonicalError.

        Both are made from `data` as it is when this is first asked: they agree, whatever becomes of it afterwards.
        """
        known = _remembered(self)
        if known is None:
            known = _stated_in(self)
            object.__setattr__(self, "_stated", known)
        return known


def parse_event(type_word: str, data: dict[str, Any]) -> Event:
    """The event that `type_word` and `data` state; raises EventError naming the field that does not fit."""
    return _checked(type_word, data)[0]


def _checked(type_word: str, data: dict[str, Any]) -> tuple[Event, bytes]:
    try:
        text = canonical_json(data)
    except CanonicalError as error:
        raise EventError(f"{type_word}: {error}") from error
    return _read_event(type_word, text), text


def _read_event(type_word: str, text: bytes) -> Event:
    cls = EVENT_CLASSES.get(type_word)
    if cls is None:
        raise EventError(f"type: no event is called {type_word!r}")
    try:
        # What `model_validate_json` calls; handing on its parameters takes a third as long as the reading.
        event: Event = cls.__pydantic_validator__.validate_json(text)
    except ValueError as error:
        raise EventError(f"{type_word}: {first_fault(error)}") from error
    return event


def _remembered(record: Record) -> Stated | None:
    try:
        # Past pydantic's own search for attributes that are not there, which takes longer than all the rest.
        known: Stated = object.__getattribute__(record, "_stated")
    except AttributeError:
        return None
    return known


def _stated_in(record: Record) -> Stated:
    event, data = _checked(record.type, record.data)
    fields = {name: value for name, value in record.__dict__.items() if value is not None and name in RECORD_FIELDS}
    if record.device is not None:
        fields["device"] = record.device.model_dump(mode="json")
    # What is checked is not walked through again. Quotes in a value are escaped, so these are the fields' own names.
    author, _, rest = canonical_json({**fields, "data": 0}).partition(b'"data":0,')
    name, _, rest = rest.partition(b'"occurred_at":')
    moment, _, after = rest.partition(b",")
    return Stated(event, b'%b"data":%b,%b' % (author, data, name), b'"occurred_at":%b,' % moment, after)


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
    """The record in which `by` states `event` about `subject`.

    It is checked here already, by its author: the ledger, through whose one writer all records go, does it no more.
    """
    record = Record(
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
    with suppress(EventError, CanonicalError):  # whoever appends it is told
        record.stated()
    return record


def record_text(record: Record) -> bytes:
    """The canonical text of a record: what a device chains, signs and uploads."""
    if known := _remembered(record):
        return known.before + known.moment + known.after
    return canonical_json(record.model_dump(mode="json", include=RECORD_FIELDS, exclude_none=True))


def parse_record(text: bytes) -> Record:
    """The record in a canonical text; raises CanonicalError or EventError, and checks the event inside."""
    value = parse_canonical(text)
    record = _envelope(value, text)
    if value.keys() >= _ALWAYS_WRITTEN:
        object.__setattr__(record, "_stated", _stated_by(text, record))
    else:
        record.stated()
    return record


_ALWAYS_WRITTEN = {"v", "refs"}
"""What stands in a record's own text, although a text may leave it out."""


def _envelope(value: dict[str, Any], text: bytes) -> Record:
    """The record whose text is `text` and whose fields are `value`; its event is not looked at."""
    refs = value.get("refs")
    fields = {**value, "refs": tuple(refs)} if isinstance(refs, list) else value
    with suppress(ValueError):  # said below, as JSON calls things
        # Read once already: handing the text in would have all of `data` read again.
        record: Record = Record.__pydantic_validator__.validate_python(fields)
        return record
    try:
        return Record.model_validate_json(text)
    except ValueError as error:
        raise EventError(first_fault(error)) from error


def _stated_by(text: bytes, record: Record) -> Stated:
    """What `record` states, whose own canonical text this is: its parts are cut out, not written anew."""
    # Fields stand in alphabetical order, and the envelope's own hold neither objects nor quotes behind `data`.
    before, name, rest = text.rpartition(b'"occurred_at":')
    moment, comma, after = rest.partition(b",")
    data = before.partition(b'"data":')[2].rpartition(b',"device":' if record.device else b',"id":')[0]
    return Stated(_read_event(record.type, data), before, name + moment + comma, after)


RECORD_FIELDS: set[str] = set(Record.model_fields)


# --- the entry: a record with its place ---------------------------------------------------------------------


class Entry(Record):
    """A record with its place in the ledger: position in its subject's chain, predecessor, ledger's clock."""

    n: Count
    prev: Sha256
    """Hash of the subject's previous entry, or 64 zeros."""
    recorded_at: Instant

    @property
    def at(self) -> int:
        """When it counts as having occurred, UTC ms: by the author's clock, but never after it was recorded."""
        return min(self.occurred_at, self.recorded_at)

    def record(self) -> Record:
        """The author's statement alone, as the author wrote it."""
        return Record.model_construct(**{name: getattr(self, name) for name in RECORD_FIELDS})


def parse_entry(text: bytes) -> Entry:
    """The entry in a stored text; raises ValueError if it does not have an entry's shape."""
    return Entry.model_validate_json(text)


class _EntryWithEvent(Entry):
    """An entry whose `data` is its event."""

    def event(self) -> Event:
        """The event."""
        return cast(Event, self.data)


_READERS: dict[str, Callable[[bytes], _EntryWithEvent]] = {}
"""Per type word: what reads an entry with its event, so that a text is gone through once and not three times."""


def parse_entry_and_event(text: bytes, type_word: str = "") -> tuple[Entry, Event]:
    """The entry in a stored text and its event; `type_word` is the type that it is expected to name, if known.

    For reading many: the entry is for the fold of a state, its `data` not to be looked at.  Raises ValueError.
    """
    if not type_word:  # the last of its fields but one
        type_word = text.rpartition(b'"type":"')[2].partition(b'"')[0].decode()
    read = _READERS.get(type_word) or _reader(type_word)
    try:
        whole = read(text)
        if whole.type == type_word:
            return whole, whole.event()
    except ValueError:
        pass  # said below, in words about the entry or the event, of the type that the text names
    entry = parse_entry(text)
    return entry, parse_event(entry.type, entry.data)


def _reader(type_word: str) -> Callable[[bytes], _EntryWithEvent]:
    cls = EVENT_CLASSES.get(type_word)
    if cls is None:
        raise EventError(f"type: no event is called {type_word!r}")
    model = create_model(f"{cls.__name__}Entry", __base__=_EntryWithEvent, data=(cls, ...))
    # What `model_validate_json` calls; the way there costs half a microsecond, for every entry.
    return _READERS.setdefault(type_word, model.__pydantic_validator__.validate_json)
