"""A new tag for a cylinder (换标): asked for with the serial read from the steel, granted or refused by somebody else.

Granting kills the old code and binds the new one in the same act. Until then the request itself refuses the cylinder
(R06), and so does a new code that nobody granted.
"""

from typing import Annotated

from pydantic import Field

from cylinder_api.acts.common import (
    CylinderAct,
    append_about,
    derived_id,
    find_cylinder,
    raise_dispute,
    read_issued_code,
    read_name,
    require_not_future,
    require_owner,
)
from cylinder_api.refusals import Refused
from cylinder_codes.authenticity import TagKey
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import CodeBound, Entry, Event, RetagApproved, RetagRefused, RetagRequested, state_event
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Evidence, Frozen, Instant, Text

SERIAL_DIFFERS = "retag_serial_differs"
"""Kind of the dispute about a request whose serial is not the one on file: perhaps a tag that is to be moved."""


class RetagRequest(CylinderAct):
    """A company asks for a new tag (换标申请) for the cylinder called `code`, by any of its names."""

    old_code: str | None = None
    """The code to be replaced, in any readable form; absent = `code`."""
    cause: Text
    stamp_serial_seen: Text
    """The serial number as read from the steel (钢印编号)."""
    evidence: Annotated[tuple[Evidence, ...], Field(min_length=1, max_length=16)]
    """At least one picture of the steel."""


class Grant(Frozen):
    """The request is granted (换标批准)."""

    new_code: str
    """The code of the new tag, in any readable form."""
    occurred_at: Instant


class Denial(Frozen):
    """The request is refused (换标不予批准)."""

    cause: Text
    occurred_at: Instant


def request_tag(unit: Unit, act: RetagRequest, company_id: str, by: str, forms: ScanForms) -> Receipt:
    """Record the request. Raises Refused for another company's cylinder, or a code that is not this cylinder's."""
    cylinder = find_cylinder(unit, act.code, forms)
    require_owner(unit, act, cylinder, company_id)
    old_code, known = read_name(act.old_code or act.code, forms).text, unit.entry(act.id) is not None
    if not known:
        _require_live_code(cylinder, old_code)
    event = RetagRequested(
        old_code=old_code, cause=act.cause, stamp_serial_seen=act.stamp_serial_seen, evidence=act.evidence
    )
    receipt = append_about(unit, cylinder, act, event, by=by, refs=(f"company/{company_id}",))
    if not known and _differs(act.stamp_serial_seen, cylinder):
        asked = unit.entry(act.id)
        assert asked is not None  # noqa: S101 - it was appended a moment ago
        told = f"a new tag is asked for with serial {act.stamp_serial_seen}; on file is {cylinder.stamp.serial}"
        raise_dispute(unit, asked.record(), asked.subject, SERIAL_DIFFERS, told)
    return receipt


def _require_live_code(cylinder: CylinderState, code: str) -> None:
    if code not in cylinder.codes or cylinder.status in ("condemned", "cancelled", "destroyed"):
        raise Refused("code_not_its_own", "this code does not lead to this cylinder now; nothing is to be replaced")


def _differs(serial: str, cylinder: CylinderState) -> bool:
    return _plain(serial) != _plain(cylinder.stamp.serial)


def _plain(serial: str) -> str:
    return "".join(serial.split()).casefold()


def grant_tag(unit: Unit, request_id: str, act: Grant, approver_id: str, tag_key: TagKey, forms: ScanForms) -> Receipt:
    """Record that the request is granted, and bind the new code in the same act.

    Raises Refused, StateError for a request that is answered already, CodeTaken for a code that leads elsewhere.
    """
    asked, request, cylinder = _find_request(unit, request_id, approver_id)
    require_not_future(unit, act.occurred_at)
    if unit.entry(derived_id(request_id, "answered")) is None:
        _require_live_code(cylinder, request.old_code)
    if _differs(request.stamp_serial_seen, cylinder):
        raise Refused(
            "serial_differs", "the serial read from the steel is not the one on file; correct one of them first"
        )
    code = read_issued_code(act.new_code, forms, tag_key)
    granted = RetagApproved(
        request_id=request_id, old_code=request.old_code, new_code=code.text, approver_id=approver_id
    )
    receipt = _answer(unit, asked, granted, derived_id(request_id, "answered"), act.occurred_at, approver_id)
    bound = CodeBound(code=code.text, scheme=code.scheme.value)
    _answer(unit, asked, bound, derived_id(request_id, "bound"), act.occurred_at, approver_id)
    return receipt


def deny_tag(unit: Unit, request_id: str, act: Denial, approver_id: str) -> Receipt:
    """Record that the request is refused: the old code stays what it was. Raises Refused, StateError."""
    asked, _request, _cylinder = _find_request(unit, request_id, approver_id)
    require_not_future(unit, act.occurred_at)
    refused = RetagRefused(request_id=request_id, approver_id=approver_id, cause=act.cause)
    return _answer(unit, asked, refused, derived_id(request_id, "answered"), act.occurred_at, approver_id)


def _find_request(unit: Unit, request_id: str, approver_id: str) -> tuple[Entry, RetagRequested, CylinderState]:
    asked = unit.entry(request_id)
    request = asked.event() if asked else None
    cylinder = unit.cylinder(asked.subject.partition("/")[2]) if asked else None
    if asked is None or cylinder is None or not isinstance(request, RetagRequested):
        raise Refused("request_unknown", "no request for a new tag is on file under this id")
    if asked.by == approver_id:
        raise Refused("same_person", "whoever asks for a new tag does not answer the request")
    return asked, request, cylinder


def _answer(unit: Unit, asked: Entry, event: Event, id: str, at: int, by: str) -> Receipt:
    record = state_event(
        event,
        id=id,
        subject=asked.subject,
        occurred_at=at,
        by=by,
        refs=asked.refs,
        act_id=derived_id(asked.id, "answer"),
    )
    return unit.append(record)
