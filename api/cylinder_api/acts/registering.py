"""Putting one cylinder on file (建档、使用登记): its stamp is on file once, and its head bears no stranger's mark.

Maker, serial number and year of making name one cylinder (唯一性). The stamp is bound as a code of its own,
``stamp:MAKER|YYYY-MM|SERIAL``, so that a look-up of the twelve months of a year finds the other cylinder.
"""

import hashlib
from collections.abc import Iterable, Iterator

from cylinder_api.acts.common import derived_id, read_issued_code, require_not_future, rulebook_in_force
from cylinder_api.acts.recalling import mark_registered
from cylinder_api.refusals import Refused
from cylinder_codes.authenticity import TagKey
from cylinder_codes.errors import CodeError
from cylinder_codes.identifiers import Code, new_cylinder_id, stamp_code
from cylinder_codes.legacy_forms import ScanForms
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.dates import format_month, local_month
from cylinder_trace.events import CodeBound, CylinderRegistered, Event, Stamp, state_event
from cylinder_trace.rulebook import Rulebook
from cylinder_trace.store.unit import Hints, Receipt, Unit
from cylinder_trace.values import Day, Frozen, Id, Instant, Text
from cylinder_trace.vocabulary.naming import TechnicalFile


class Registration(Frozen):
    """A cylinder is put on file with its stamp, its papers and the code on its label (建档、赋码)."""

    id: Id
    """Made by the caller; the act's idempotency key."""
    code: str
    """The code on its label, in any readable form."""
    stamp: Stamp
    registration_no: Text | None = None
    """The use registration (使用登记证编号); absent = applied for."""
    in_service_on: Day
    technical: TechnicalFile | None = None
    region: Text | None = None
    """Where it may be filled (充装区域)."""
    occurred_at: Instant


def stamps_of_year(maker: str, manufactured_month: str, serial: str) -> list[str]:
    """The stamp of this maker and serial in each month of the year of making; raises CodeError for no stamp."""
    head, month, tail = stamp_code(maker, manufactured_month, serial).text.split("|")
    return [f"{head}|{month[:4]}-{number:02}|{tail}" for number in range(1, 13)]


def find_twin(unit: Unit, stamps: list[str]) -> CylinderState | None:
    """The cylinder on file, alive or scrapped, that bears one of `stamps`."""
    unit.prefetch(Hints(codes=stamps))
    return next((holder for stamp in stamps if (holder := unit.cylinder_by_code(stamp)) is not None), None)


def register_cylinder(
    unit: Unit, act: Registration, company_id: str, by: str, tag_key: TagKey, forms: ScanForms, rulebook_id: str
) -> Receipt:
    """Put the cylinder on file as the company's own, with its codes. Raises Refused, and CodeTaken for a used code."""
    require_not_future(unit, act.occurred_at)
    code, stamps = read_issued_code(act.code, forms, tag_key), stamps_of(act.stamp, act.occurred_at)
    cylinder_id = _cylinder_id(unit, act, company_id, code)
    twin = find_twin(unit, stamps)
    if twin is not None and twin.cylinder_id != cylinder_id:
        raise Refused("registered_twice", twin_sentence(twin))
    _require_own_head_mark(act, company_id, rulebook_in_force(unit, rulebook_id))
    said = _events(unit.cylinder(cylinder_id), act, company_id, code)
    return append_all_about(unit, cylinder_id, said, act.id, act.occurred_at, company_id, by)


def stamps_of(stamp: Stamp, occurred_at: int) -> list[str]:
    """`stamps_of_year` of a stamp that somebody states at `occurred_at`; raises Refused for one that cannot be."""
    place = "/body/stamp/manufactured_month"
    if stamp.manufactured_month is None:
        raise Refused("invalid", f"{place}: what cannot be read on the steel is not put on file")
    if stamp.manufactured_month > format_month(local_month(occurred_at)):
        raise Refused("invalid", f"{place}: it cannot have been made after it is stated")
    try:
        return stamps_of_year(stamp.maker, stamp.manufactured_month, stamp.serial)
    except CodeError as error:
        raise Refused("invalid", f"/body/stamp: maker and serial cannot be a stamp: {error}") from error


def is_same_stamp(one: Stamp, other: Stamp) -> bool:
    """Whether two stamps name one cylinder: maker, serial and month of making, as far as both can be read."""
    return _stamp_code(one) == _stamp_code(other)


def _stamp_code(stamp: Stamp) -> Code | None:
    try:
        return stamp_code(stamp.maker, str(stamp.manufactured_month), stamp.serial)
    except CodeError:
        return None


def _cylinder_id(unit: Unit, act: Registration, company_id: str, code: Code) -> str:
    """The cylinder whose maker's record stands under the code, else a new one: the same each time the act is sent."""
    if (said := unit.entry(act.id)) is not None:
        return said.subject.partition("/")[2]
    made = unit.cylinder_by_code(code.text)
    if made is not None and made.status == "made" and is_same_stamp(made.stamp, act.stamp):
        return made.cylinder_id
    digest = hashlib.sha256(f"pinglian-registration-v1\0{company_id}\0{act.id}".encode()).digest()
    return new_cylinder_id(digest[:16])


def twin_sentence(twin: CylinderState) -> str:
    return (
        f"maker, serial number and year of making are those of {twin.cylinder_id}, on file as {twin.owner_id}'s; "
        "look at the steel of both, and have the wrong one corrected"
    )


def _require_own_head_mark(act: Registration, company_id: str, book: Rulebook) -> None:
    """Raise Refused where the head must bear the registering company's mark and bears another's (封头凹印)."""
    bearer = act.technical.head_mark_owner_id if act.technical else None
    begin, made = book.ownership.head_mark_from, act.stamp.manufactured_month
    if bearer in (None, company_id) or begin is None or made is None or made < begin:
        return
    raise Refused("head_mark_foreign", f"its head bears the mark of {bearer}; only that company can register it")


def append_all_about(
    unit: Unit, cylinder_id: str, said: Iterable[tuple[str, Event]], act_id: str, at: int, company_id: str, by: str
) -> Receipt:
    """Append all that one act says of a cylinder, the first under the act's own id; an open recall marks it."""
    records = [
        state_event(
            event,
            id=derived_id(act_id, word) if word else act_id,
            subject=f"cylinder/{cylinder_id}",
            occurred_at=at,
            by=by,
            refs=(f"company/{company_id}",),
            act_id=act_id,
        )
        for word, event in said
    ]
    receipt = unit.append_all(records)[0]
    mark_registered(unit, [cylinder_id], by)
    return receipt


def _events(made: CylinderState | None, act: Registration, company_id: str, code: Code) -> Iterator[tuple[str, Event]]:
    facts = {name: getattr(act, name) for name in ("stamp", "registration_no", "in_service_on", "technical", "region")}
    yield "", CylinderRegistered(owner_id=company_id, **facts)
    yield from names_to_bind(made, code, act.stamp)


def names_to_bind(known: CylinderState | None, code: Code | None, stamp: Stamp) -> Iterator[tuple[str, Event]]:
    """The code on the label, if any, and the stamp as codes of a cylinder, as far as it has not borne them yet."""
    bound = {*known.codes, *known.voided_codes} if known else set[str]()
    steel = stamp_code(stamp.maker, str(stamp.manufactured_month), stamp.serial)
    for word, name in (("code", code), ("stamp", steel)):
        if name is not None and name.text not in bound:
            bound.add(name.text)
            yield word, CodeBound(code=name.text, scheme=name.scheme.value)
