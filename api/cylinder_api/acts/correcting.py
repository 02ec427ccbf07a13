"""Corrections (更正): one field of an earlier entry was wrong. Nothing is edited; a second person agrees by name.

What the entry had said is read from the entry itself. A corrected stamp must not be another cylinder's, and whatever
recall names what is now on file marks the cylinder in the same moment.
"""

from typing import Annotated, Any

from pydantic import Field

from cylinder_api.acts.common import derived_id, require_not_future
from cylinder_api.acts.recalling import mark_registered
from cylinder_api.acts.registering import find_twin, names_to_bind, stamps_of, twin_sentence
from cylinder_api.etags import require_unchanged
from cylinder_api.refusals import Refused
from cylinder_trace.events import Corrected, Entry, Record, state_event
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Evidence, Frozen, Id, Instant, Text
from cylinder_trace.vocabulary.correcting import CorrectedValue, FieldPath

_OF_THE_STAMP = ("stamp.maker", "stamp.serial", "stamp.manufactured_month")


class Correction(Frozen):
    """What one field of an entry should have said (更正)."""

    id: Id
    """Made by the caller; the act's idempotency key."""
    entry_id: Id
    """The entry that is corrected."""
    field: FieldPath
    """The field, with dots between levels: ``inspected_month``, ``stamp.serial``."""
    now: CorrectedValue
    """What is true."""
    reason: Text
    approver_id: Id
    """The second person, who agreed."""
    evidence: Annotated[tuple[Evidence, ...], Field(min_length=1, max_length=16)]
    """At least one picture or paper that shows what is true."""
    occurred_at: Instant


def correct(unit: Unit, act: Correction, authority_id: str, by: str, if_match: str | None = None) -> Receipt:
    """Record the correction; raises Refused, and StateError for a value that the field cannot take."""
    require_not_future(unit, act.occurred_at)
    if act.approver_id == by:
        raise Refused("same_person", "whoever states a correction does not agree to it; name a second person")
    wrong = unit.entry(act.entry_id)
    if wrong is None or wrong.type == Corrected.type:
        raise Refused("entry_unknown", "no entry that can be corrected is on file under this id")
    known = unit.entry(act.id) is not None
    if not known:
        require_unchanged(if_match, unit.subject(wrong.subject).head)
    receipt = unit.append(_record(act, wrong, authority_id, by))
    kind, _, cylinder_id = wrong.subject.partition("/")
    if kind == "cylinder" and not known:
        if act.field in _OF_THE_STAMP:
            _bind_stamp(unit, act, cylinder_id, by)
        mark_registered(unit, [cylinder_id], by)
    return receipt


def _record(act: Correction, wrong: Entry, authority_id: str, by: str) -> Record:
    facts = {name: getattr(act, name) for name in ("entry_id", "field", "now", "reason", "approver_id", "evidence")}
    event = Corrected(entry_type=wrong.type, was=_said(wrong, act.field), **facts)
    refs = (f"authority/{authority_id}", *(ref for ref in wrong.refs if ref.startswith("company/")))
    return state_event(
        event, id=act.id, subject=wrong.subject, occurred_at=act.occurred_at, by=by, refs=refs, act_id=act.id
    )


def _said(wrong: Entry, field: str) -> str | int | None:
    """What the entry says in the field; None where it does not state it. Raises Refused for no single value."""
    said: Any = wrong.event()
    for name in field.split("."):
        said = getattr(said, name) if isinstance(said, Frozen) and name in type(said).model_fields else ()
    if isinstance(said, bool) or not isinstance(said, str | int | None):
        raise Refused("invalid", f"/body/field: {wrong.type} has no field {field} that holds one text or number")
    return said


def _bind_stamp(unit: Unit, act: Correction, cylinder_id: str, by: str) -> None:
    """Make the cylinder found by its corrected stamp; raises Refused where that is another cylinder's."""
    cylinder = unit.cylinder(cylinder_id)
    if cylinder is None or cylinder.stamp.manufactured_month is None:
        return  # a stamp of which nobody can read the month is no code
    if (cylinder.corrected or {}).get(act.field) != act.id:
        return  # a newer fact stood there; the correction is history only
    twin = find_twin(unit, stamps_of(cylinder.stamp, unit.now))
    if twin is not None and twin.cylinder_id != cylinder_id:
        raise Refused("registered_twice", twin_sentence(twin))
    for word, event in names_to_bind(cylinder, None, cylinder.stamp):
        record = state_event(
            event,
            id=derived_id(act.id, word),
            subject=f"cylinder/{cylinder_id}",
            occurred_at=act.occurred_at,
            by=by,
            act_id=act.id,
        )
        unit.append(record)
