"""Real-name sales (实名销售): which point sells, who delivers, who buys, and the commitment that the sale carries."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cylinder_api.town.chronicle import Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.organisations import Organisations
from cylinder_api.town.people import Customer, CustomerKind
from cylinder_trace.events import Sold
from cylinder_trace.identity import commit_identity

_HOUSEHOLDS_PER_MILLE = 650
_FAILED_SAFETY_CHECKS_PER_MILLE = 12
_LARGE_MODEL = "YSP118"  # GB 5842-2023: not for use indoors, so never for a household


@dataclass(frozen=True, slots=True)
class Market:
    """Points of each company, delivery workers and customers of each point, salts of the customers."""

    points: Mapping[str, Sequence[str]]
    workers: Mapping[str, Sequence[str]]
    customers: Mapping[tuple[str, CustomerKind], Sequence[Customer]]
    salts: Mapping[str, bytes]

    def sell(self, dice: Dice, life: Life, company_id: str, order_no: str, at: int) -> Customer:
        """Record the sale of a filled cylinder to a customer of one of the company's points; answers the buyer."""
        point_id = dice.pick(self.points[company_id])
        kind: CustomerKind = "restaurant"
        if life.state.stamp.model != _LARGE_MODEL and dice.per_mille(_HOUSEHOLDS_PER_MILLE):
            kind = "household"
        customer = dice.pick(self.customers[point_id, kind])
        worker_id = dice.pick(self.workers[point_id])
        sold = Sold(
            order_no=order_no,
            point_id=point_id,
            worker_id=worker_id,
            customer_id=customer.customer_id,
            identity_commitment=commit_identity(customer.identity, self.salts[customer.customer_id]),
            safety_check_passed=not dice.per_mille(_FAILED_SAFETY_CHECKS_PER_MILLE),
        )
        refs = (f"point/{point_id}", f"worker/{worker_id}", f"customer/{customer.customer_id}")
        life.happen(sold, at, point_id, refs, delay_ms=2_000)
        return customer


def market_of(organisations: Organisations, customers: Sequence[Customer], salts: Mapping[str, bytes]) -> Market:
    """The market of these organisations and customers."""
    points: dict[str, list[str]] = defaultdict(list)
    workers: dict[str, list[str]] = defaultdict(list)
    buyers: dict[tuple[str, CustomerKind], list[Customer]] = defaultdict(list)
    for point in organisations.points:
        points[point.company_id].append(point.point_id)
    for worker in organisations.workers:
        workers[worker.point_id].append(worker.worker_id)
    for customer in customers:
        buyers[customer.point_id, customer.kind].append(customer)
    return Market(points, workers, buyers, salts)
