"""What several acts share: finding the cylinder meant, ids made from ids, acts of people about a cylinder."""

import hashlib

from cylinder_api.refusals import Refused
from cylinder_codes.authenticity import TagKey, tag_is_genuine
from cylinder_codes.identifiers import Code, is_cylinder_id
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_codes.schemes import Scheme
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import DisputeRaised, Event, Record, state_event
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.unit import Hints, Receipt, Unit
from cylinder_trace.values import Frozen, Id, Instant

SERVICE = "service"
"""Author of what the service itself states."""
FUTURE_SLACK_MS = 120_000
"""So far ahead of the ledger's clock a caller's may run."""
_LONGEST_ID = 80
_LONGEST_MESSAGE = 200


class CylinderAct(Frozen):
    """What every act of a person about one cylinder says."""

    id: Id
    """Made by the caller; the act's idempotency key."""
    code: str
    """The cylinder's code in any readable form, or its cylinder id."""
    occurred_at: Instant


def derived_id(id: str, word: str) -> str:
    """The id of what follows from the act `id`; the same each time, and never too long."""
    if len(id) + len(word) < _LONGEST_ID:
        return f"{id}.{word}"
    return f"{hashlib.sha256(id.encode()).hexdigest()[:40]}.{word}"


def read_name(name: str, forms: ScanForms) -> Code:
    """The code that a caller writes in any readable form; raises Refused."""
    read = read_scan(name, forms.hosts, forms.legacy_forms)
    if isinstance(read, ReadFailure):
        raise Refused("code_unreadable", read.text_en, detail_zh=read.text_zh)
    return read


def read_issued_code(name: str, forms: ScanForms, tag_key: TagKey) -> Code:
    """The code of a label; raises Refused for one of our own that we never issued."""
    code = read_name(name, forms)
    if code.scheme == Scheme.OWN and not tag_is_genuine(code, tag_key):
        raise Refused("code_unreadable", "no such code was ever issued; take it from the label")
    return code


def cylinder_id_for(unit: Unit, name: str, forms: ScanForms) -> str:
    """The id of the cylinder called `name` (a code in any readable form, or the id itself); raises Refused."""
    if is_cylinder_id(name):
        return name
    cylinder = unit.cylinder_by_code(read_name(name, forms).text)
    if cylinder is None:
        raise Refused("cylinder_unknown", "no cylinder is on file under this code")
    return cylinder.cylinder_id


def hints_about(act: CylinderAct, forms: ScanForms) -> Hints:
    """What recording an act about a cylinder will look up: one query reads it for all acts of a group commit."""
    station, customer = (getattr(act, name, None) for name in ("station_id", "customer_id"))
    subjects = (f"station/{station}",) if station else ()
    rows = ((PersonRow, (customer,)),) if customer else ()
    if is_cylinder_id(act.code):
        return Hints((act.id,), (f"cylinder/{act.code}", *subjects), rows=rows)
    read = read_scan(act.code, forms.hosts, forms.legacy_forms)
    return Hints((act.id,), subjects, () if isinstance(read, ReadFailure) else (read.text,), rows)


def find_cylinder(unit: Unit, name: str, forms: ScanForms) -> CylinderState:
    """The cylinder called `name`; raises Refused."""
    cylinder = unit.cylinder(cylinder_id_for(unit, name, forms))
    if cylinder is None:
        raise Refused("cylinder_unknown", "no cylinder is on file under this id")
    return cylinder


def append_about(
    unit: Unit, cylinder: CylinderState, act: CylinderAct, event: Event, *, by: str, refs: tuple[str, ...] = ()
) -> Receipt:
    """Append that `by` states `event` about `cylinder`; raises Refused when it is dated in the future."""
    require_not_future(unit, act.occurred_at)
    said = unit.entry(act.id)
    # Sent again it bears the names of the first time: the owner among them may be another by now.
    named = said.refs if said else refs
    subject = f"cylinder/{cylinder.cylinder_id}"
    return unit.append(state_event(event, id=act.id, subject=subject, occurred_at=act.occurred_at, by=by, refs=named))


def require_owner(unit: Unit, act: CylinderAct, cylinder: CylinderState, company_id: str) -> None:
    """Raise Refused unless the cylinder is the company's own, or was when this very act was first sent."""
    if unit.entry(act.id) is None and cylinder.owner_id != company_id:
        raise Refused("other_owner", "the cylinder belongs to another company")


def require_not_future(unit: Unit, occurred_at: int) -> None:
    """Raise Refused for an act dated after the ledger's clock: it would outlast every true act after it."""
    if occurred_at > unit.now + FUTURE_SLACK_MS:
        raise Refused("occurred_in_future", "occurred_at lies after the service's clock; check the device's clock")


def rulebook_in_force(unit: Unit, rulebook_id: str) -> Rulebook:
    """The rulebook that decides; raises Refused when none was published."""
    book = unit.rulebook(rulebook_id)
    if book is None:
        raise Refused("rulebook_missing", f"no rulebook {rulebook_id} has been published into this ledger")
    return book


def raise_dispute(unit: Unit, about: Record, subject: str, kind: str, message: str, word: str = "") -> Receipt:
    """Append a dispute about a record, on the chain of `subject`; the same dispute is raised once.

    `word` goes into its id; without it the kind does.
    """
    printable = "".join(char if char.isprintable() else " " for char in message)[:_LONGEST_MESSAGE]
    record = state_event(
        DisputeRaised(about_id=about.id, kind=kind, message=printable),
        id=derived_id(about.id, word or kind),
        subject=subject,
        occurred_at=about.occurred_at,
        by=SERVICE,
        refs=about.refs,
    )
    return unit.append(record)
