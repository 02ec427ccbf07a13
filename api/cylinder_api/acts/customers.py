"""A customer's personal data (个人信息): read in plain for a purpose, on record before anything is shown; and erased.

The ledger holds who read and what for, and that somebody was erased, on a chain of the customer's own, which says
nothing of the person.
"""

from typing import Literal, NamedTuple

from cylinder_api.access import Account
from cylinder_api.acts.common import require_not_future
from cylinder_api.refusals import Refused
from cylinder_trace.events import Event, PersonalDataErased, PersonalDataRead, state_event
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.unit import Receipt, Unit
from cylinder_trace.store.vault import erased
from cylinder_trace.values import Frozen, Id, Instant
from cylinder_trace.vocabulary.privacy import Purpose

_SHOWN_FOR_MS = 600_000
"""An answer that was lost is given again for so long; afterwards it is another reading, with an id of its own."""
_AUTHORITY = "regulator"


class Reading(Frozen):
    """Somebody wants to see a customer's personal data in plain (个人信息查阅)."""

    id: Id
    purpose: Purpose
    case_no: Id | None = None
    """Number of the case, order or report that it belongs to."""
    occurred_at: Instant


class Erasure(Frozen):
    """A customer's personal data come to their end (个人信息删除)."""

    id: Id
    cause: Literal["own_request", "contract_ended", "retention_ended", "taken_by_mistake"]
    occurred_at: Instant


class ReadOnRecord(NamedTuple):
    """The reading is on record; the row may be opened once the commit answers."""

    receipt: Receipt
    row: PersonRow


def read_customer(unit: Unit, customer_id: str, act: Reading, caller: Account) -> ReadOnRecord:
    """Record the reading. Raises Refused for another company's customer, and for one who was erased."""
    row = _row_for(unit, customer_id, caller)
    if row.wrapped_key is None:
        raise Refused("customer_erased", "the personal data of this customer were erased; nobody can read them")
    event = PersonalDataRead(org_id=caller.org_id, purpose=act.purpose, case_no=act.case_no)
    receipt = _append(unit, customer_id, act, event, caller)
    if receipt.replayed and unit.now - receipt.recorded_at > _SHOWN_FOR_MS:
        raise Refused("reading_over", "this reading was answered long ago; state another one with an id of its own")
    return ReadOnRecord(receipt, row)


def erase_customer(unit: Unit, customer_id: str, act: Erasure, caller: Account) -> Receipt:
    """Record the erasure, and delete the data key with it. Raises Refused for another company's customer."""
    row = _row_for(unit, customer_id, caller)
    if row.wrapped_key is None and unit.entry(act.id) is None:
        raise Refused("customer_erased", "the personal data of this customer were erased before")
    company_id = row.company_id or caller.org_id
    receipt = _append(unit, customer_id, act, PersonalDataErased(company_id=company_id, cause=act.cause), caller)
    if row.wrapped_key is not None:
        unit.put(erased(row))
    return receipt


def _row_for(unit: Unit, customer_id: str, caller: Account) -> PersonRow:
    row = unit.find(PersonRow, customer_id)
    if row is None:
        raise Refused("customer_unknown", "no customer is on file under this id")
    if caller.role != _AUTHORITY and row.company_id != caller.org_id:
        raise Refused("other_company", "another company took this customer's data and answers for them")
    return row


def _append(unit: Unit, customer_id: str, act: Reading | Erasure, event: Event, caller: Account) -> Receipt:
    require_not_future(unit, act.occurred_at)
    record = state_event(
        event,
        id=act.id,
        subject=f"customer/{customer_id}",
        occurred_at=act.occurred_at,
        by=caller.account_id,
        refs=(f"org/{caller.org_id}",),
    )
    return unit.append(record)
