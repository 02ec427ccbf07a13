"""An authority marks a cylinder, or lifts its mark (标记、撤销标记).

A black flag (黑气瓶) refuses the cylinder at once and stands as an open dispute until a second person of the authority
has confirmed it; nothing lifts it by itself. An authority that flags very many cylinders in an hour needs a second
person before it goes on. Why so: ``docs/decisions/0014-black-flags.md``.
"""

from typing import Annotated, NamedTuple

from pydantic import Field
from sqlalchemy import bindparam, select

from cylinder_api.acts.common import CylinderAct, append_about, derived_id, find_cylinder, raise_dispute
from cylinder_api.acts.disputes import resolution_id, resolve
from cylinder_api.refusals import Refused
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import FlagCleared, Flagged, FlagKind
from cylinder_trace.store.tables import EntryRefRow, EntryRow
from cylinder_trace.store.unit import Hints, Receipt, Unit
from cylinder_trace.values import Sha256, Text

UNCONFIRMED = "flag_unconfirmed"
"""Kind of the dispute that a black flag is until a second person confirms it."""
TOO_MANY = "flags_too_many"
"""Kind of the dispute behind which an authority's flags wait for a second person."""
_HOUR_MS = 3_600_000
_entry = EntryRow.__table__  # type: ignore[attr-defined]
_ref = EntryRefRow.__table__  # type: ignore[attr-defined]


class FlagAct(CylinderAct):
    """A mark on a cylinder (标记). A black flag needs the hash of at least one piece of evidence."""

    flag: FlagKind
    cause: Text
    evidence_sha256: Annotated[tuple[Sha256, ...], Field(max_length=32)] = ()


class FlagClearing(CylinderAct):
    """A mark is lifted (撤销标记)."""

    flag: FlagKind
    cause: Text


def flag_cylinder(
    unit: Unit, act: FlagAct, authority_id: str, by: str, forms: ScanForms, flags_per_hour: int
) -> Receipt:
    """Record that the authority marks the cylinder. Raises Refused without evidence, or over the limit."""
    if act.flag == "black" and not act.evidence_sha256:
        raise Refused("evidence_missing", "a black flag needs the hash of at least one piece of evidence")
    cylinder = find_cylinder(unit, act.code, forms)
    event = Flagged(flag=act.flag, authority_id=authority_id, cause=act.cause, evidence_sha256=act.evidence_sha256)
    known = unit.entry(act.id) is not None
    flagged_lately = 0 if known else _flagged_lately(unit, authority_id, flags_per_hour)
    receipt = append_about(unit, cylinder, act, event, by=by, refs=_refs(authority_id, cylinder))
    if act.flag == "black":
        _dispute(unit, act.id, UNCONFIRMED, f"a black flag of {authority_id} waits for a second person to confirm it")
    if flagged_lately + 1 >= flags_per_hour:
        told = (
            f"{authority_id} flagged {flags_per_hour} cylinders in an hour; a second person must look before the next"
        )
        _dispute(unit, act.id, TOO_MANY, told)
    return receipt


def clear_flag(unit: Unit, act: FlagClearing, authority_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record that the authority lifts its mark; raises Refused for another one's, and for one's own black flag."""
    cylinder = find_cylinder(unit, act.code, forms)
    known = unit.entry(act.id) is not None
    flags = [] if known else _flags_of(unit, cylinder, act.flag)
    if flags and flags[-1].authority_id != authority_id:
        raise Refused("other_authority", f"the mark was set by {flags[-1].authority_id}, which alone lifts it")
    if act.flag == "black" and flags and flags[-1].by == by:
        raise Refused("same_person", "whoever set a black flag does not lift it; a second person of the authority does")
    event = FlagCleared(flag=act.flag, authority_id=authority_id, cause=act.cause)
    receipt = append_about(unit, cylinder, act, event, by=by, refs=_refs(authority_id, cylinder))
    for flag in flags:
        _dismiss(unit, derived_id(flag.id, UNCONFIRMED), act, by)
    return receipt


def _refs(authority_id: str, cylinder: CylinderState) -> tuple[str, ...]:
    return f"authority/{authority_id}", f"company/{cylinder.owner_id}"


def _dispute(unit: Unit, flag_id: str, kind: str, message: str) -> None:
    flagged = unit.entry(flag_id)
    assert flagged is not None  # noqa: S101 - it was appended a moment ago
    raise_dispute(unit, flagged.record(), flagged.subject, kind, message)


class _Statement(NamedTuple):
    """A statement by which a mark was set."""

    id: str
    by: str
    authority_id: str


def _flags_of(unit: Unit, cylinder: CylinderState, flag: FlagKind) -> list[_Statement]:
    """The statements by which this mark was set, oldest first."""
    history = unit.told_between(f"cylinder/{cylinder.cylinder_id}", -1, cylinder.n)
    flagged = ((entry, event) for entry, event in history if isinstance(event, Flagged) and event.flag == flag)
    return [_Statement(entry.id, entry.by, event.authority_id) for entry, event in flagged]


def _dismiss(unit: Unit, dispute_id: str, act: FlagClearing, by: str) -> None:
    """Whoever lifts a flag that nobody confirmed has settled that dispute too."""
    if (dispute := unit.entry(dispute_id)) is None or unit.entry(resolution_id(dispute_id)) is not None:
        return
    resolve(unit, dispute, outcome="dismissed", reason=act.cause, occurred_at=act.occurred_at, by=by)


# --- how many in an hour --------------------------------------------------------------------------------------


class _Flag(NamedTuple):
    id: str
    recorded_at: int


_NEWEST = (
    select(_entry.c.id, _entry.c.recorded_at)
    .join(_ref, _ref.c.log_index == _entry.c.log_index)
    .where(_ref.c.ref == bindparam("ref"), _entry.c.type == Flagged.type)
    .order_by(_ref.c.log_index.desc())
    .limit(bindparam("most"))
)


def _flagged_lately(unit: Unit, authority_id: str, most: int) -> int:
    """How many cylinders the authority flagged in the last hour, or since a second person last looked."""
    newest = _newest(unit, f"authority/{authority_id}", most)
    alarms = [derived_id(flag.id, TOO_MANY) for flag in newest]
    unit.prefetch(Hints(ids=alarms))
    # An alarm that nobody looked at does not lapse with the hour: it is asked for however old it is.
    alarm = next((count for count, id in enumerate(alarms) if unit.entry(id) is not None), len(alarms))
    if alarm < len(alarms):
        _require_looked_at(unit, alarms[alarm])
    return sum(flag.recorded_at > unit.now - _HOUR_MS for flag in newest[:alarm])


def _newest(unit: Unit, ref: str, most: int) -> list[_Flag]:
    """The newest flags under `ref`, newest first: those committed, and those staged beside this one."""
    rows = unit.connection.execute(_NEWEST, {"ref": ref, "most": most})
    staged = [_Flag(entry.id, entry.recorded_at) for entry in unit.staged_under(ref) if entry.type == Flagged.type]
    return [*reversed(staged), *(_Flag(*row) for row in rows)][:most]


def _require_looked_at(unit: Unit, alarm_id: str) -> None:
    if unit.entry(resolution_id(alarm_id)) is None:
        raise Refused("second_person_needed", f"a second person of the authority must resolve dispute {alarm_id} first")
