"""Writing a generated town into a ledger and its vault (生成数据入库)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

from cylinder_api.town.people import Customer
from cylinder_api.town.town import Town
from cylinder_trace.events import Record
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.tables import PersonRow
from cylinder_trace.store.unit import Unit, hints_for
from cylinder_trace.store.vault import Vault

KeepCustomer = Callable[[Customer, bytes], PersonRow]
"""From a customer and the salt that the town's sales were committed with, the row that the vault keeps."""
Progress = Callable[[int, int], None]
"""Called after each transaction with what is written so far and with how much there is."""
Item = TypeVar("Item")

_AT_ONCE = 1000


def seed_ledger(
    town: Town, ledger: Ledger, keep_customer: KeepCustomer | None = None, progress: Progress | None = None
) -> int:
    """Write the town into an empty ledger, customers first; answers how many records were written.

    What is interrupted is simply run again: records that are there already stay what they are.
    """
    vault = _vault_works(town, keep_customer) if keep_customer else ()
    total = (len(town.customers) if keep_customer else 0) + len(town.records)
    done = 0
    for work, count in chain(vault, _ledger_works(town)):
        ledger.transact(work)
        done += count
        if progress:
            progress(done, total)
    return len(town.records)


def vault_keeper(master_key: bytes) -> KeepCustomer:
    """Seals customers for the vault of this master key, under the salts of their town."""

    vault = Vault(master_key)
    return lambda customer, salt: vault.seal(customer.customer_id, customer.identity, salt)


Work = Callable[[Unit], None]


def _vault_works(town: Town, keep_customer: KeepCustomer) -> Iterator[tuple[Work, int]]:
    company_of = {point.point_id: point.company_id for point in town.organisations.points}
    for some in _slices(town.customers):
        rows = [keep_customer(customer, town.salts[customer.customer_id]) for customer in some]
        for row, customer in zip(rows, some, strict=True):
            row.company_id = company_of[customer.point_id]
        yield partial(_put_all, rows), len(rows)


def _ledger_works(town: Town) -> Iterator[tuple[Work, int]]:
    for some in _slices(town.records):
        yield partial(_append_all, some), len(some)


def _slices(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _put_all(rows: Sequence[PersonRow], unit: Unit) -> None:
    for row in rows:
        unit.put(row)


def _append_all(some: Sequence[tuple[int, Record]], unit: Unit) -> None:
    unit.prefetch(hints_for([record for _, record in some]))
    for recorded_at, record in some:
        unit.append(record, recorded_at)
