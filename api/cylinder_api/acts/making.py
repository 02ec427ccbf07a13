"""The maker's record (制造登记): what was struck into the steel, when, in which batch, under which certificates.

It comes before the cylinder is put on file, and then begins its history; or afterwards, for a cylinder whose stamp on
file is the one that the maker states. Whatever recall names its batch marks it in the same moment.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from cylinder_api.acts.common import CylinderAct, read_issued_code, require_not_future
from cylinder_api.acts.registering import (
    append_all_about,
    find_twin,
    is_same_stamp,
    names_to_bind,
    stamps_of,
    twin_sentence,
)
from cylinder_api.refusals import Refused
from cylinder_codes.authenticity import TagKey
from cylinder_codes.identifiers import Code, new_cylinder_id
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import CylinderMade, Event, Stamp
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.values import Day, Evidence, Text


class Making(CylinderAct):
    """A cylinder left its maker with this stamp, and with `code` on its label (制造登记、出厂赋码)."""

    stamp: Stamp
    made_on: Day
    certificate_no: Text
    """Product certificate (产品合格证)."""
    batch_no: Text | None = None
    """The batch that a recall may name."""
    supervision_no: Text | None = None
    """Certificate of the supervised inspection of making (制造监检证)."""
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=16)] = ()


def record_making(unit: Unit, act: Making, maker_id: str, by: str, tag_key: TagKey, forms: ScanForms) -> Receipt:
    """Record what the maker states. Raises Refused, StateError for a second record, CodeTaken for a used code."""
    require_not_future(unit, act.occurred_at)
    code, stamps = read_issued_code(act.code, forms, tag_key), stamps_of(act.stamp, act.occurred_at)
    cylinder_id = _cylinder_id(unit, act, maker_id, code)
    twin = find_twin(unit, stamps)
    if twin is not None and twin.cylinder_id != cylinder_id:
        raise Refused("registered_twice", twin_sentence(twin))
    said = _events(unit.cylinder(cylinder_id), act, maker_id, code)
    return append_all_about(unit, cylinder_id, said, act.id, act.occurred_at, maker_id, by)


def _cylinder_id(unit: Unit, act: Making, maker_id: str, code: Code) -> str:
    """The cylinder on file under the code, else a new one: the same each time the act is sent."""
    if (holder := unit.cylinder_by_code(code.text)) is None:
        digest = hashlib.sha256(f"pinglian-making-v1\0{maker_id}\0{act.id}".encode()).digest()
        return new_cylinder_id(digest[:16])
    if not is_same_stamp(holder.stamp, act.stamp):
        raise Refused("serial_differs", "under this code a cylinder with another maker, serial or month is on file")
    return holder.cylinder_id


def _events(known: CylinderState | None, act: Making, maker_id: str, code: Code) -> Iterator[tuple[str, Event]]:
    facts = {name: getattr(act, name) for name in Making.model_fields if name not in CylinderAct.model_fields}
    yield "", CylinderMade(maker_id=maker_id, **facts)
    yield from names_to_bind(known, code, act.stamp)
