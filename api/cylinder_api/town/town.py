"""The town: `generate_town(plan)` makes it whole, the same to the last byte wherever the plan is the same.

All of it is generated; see `people` for why no customer can be anybody. What goes where:

- `records` go into the ledger, in this order, each with its moment of recording;
- `customers` and `salts` go into the vault and nowhere else; salts are drawn from the seed, which is good enough
  for people who do not exist and for nobody else;
- `answer_key` says what must come of each scan at the demonstration station `st_01` on the plan's day.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cylinder_api.town.answer_key import AnswerKey, GoodScan
from cylinder_api.town.answer_key import write_answer_key as write_key
from cylinder_api.town.chronicle import Chronicle, Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.licences import publish_rulebook, put_stations_in_order
from cylinder_api.town.market import Market, market_of
from cylinder_api.town.month import StationMonth, printed_link
from cylinder_api.town.organisations import DEMO_STATION, Organisations, make_organisations
from cylinder_api.town.people import Customer, make_customers
from cylinder_api.town.plan import Figures, TownPlan, figures_for
from cylinder_api.town.planted import own_cylinders, plant
from cylinder_api.town.planter import Planter
from cylinder_api.town.register import Register, station_fleets
from cylinder_trace.events import Record
from cylinder_trace.identity import SALT_BYTES


@dataclass(frozen=True, slots=True)
class Town:
    """A generated town."""

    plan: TownPlan
    figures: Figures
    organisations: Organisations
    records: Sequence[tuple[int, Record]]
    """(recorded_at, record): the rulebook, the stations, then the cylinders; recorded_at never decreases."""
    codes: dict[str, str]
    """Cylinder id → its living code."""
    customers: tuple[Customer, ...]
    salts: dict[str, bytes]
    """Customer id → the salt of the commitment to the customer's identity."""
    answer_key: AnswerKey

    @property
    def rulebook_text(self) -> str:
        """The rulebook that the town's decisions were taken under."""
        return self.plan.rulebook_text

    @property
    def summary(self) -> dict[str, int]:
        """How many of everything there are; records also by their type."""
        types = Counter(record.type for _, record in self.records)
        return {
            "companies": self.figures.companies,
            "stations": self.figures.stations,
            "delivery_points": self.figures.delivery_points,
            "delivery_workers": self.figures.delivery_workers,
            "restaurants": self.figures.restaurants,
            "households": self.figures.households,
            "areas": self.figures.areas,
            "streets": self.figures.streets,
            "cylinders": len(self.codes),
            "planted": len(self.answer_key.planted),
            "good_scans": len(self.answer_key.good),
            "records": len(self.records),
            **{f"records_{word}": types[word] for word in sorted(types)},
        }


def generate_town(plan: TownPlan) -> Town:
    """The town of this plan."""
    figures = figures_for(plan.cylinders)
    organisations = make_organisations(figures)
    people = Dice(plan.seed, "people")
    customers = make_customers(people, figures, organisations.points, organisations.districts)
    salting = Dice(plan.seed, "salts")
    salts = {customer.customer_id: salting.bytes(SALT_BYTES) for customer in customers}
    chronicle = Chronicle(plan.rulebook_text, plan.go_live_at)
    register = Register(plan, chronicle)
    market = market_of(organisations, customers, salts)
    key = _live(plan, organisations, chronicle, register, market)
    records = chronicle.in_order()
    return Town(plan, figures, organisations, records, register.codes, customers, salts, key)


def write_answer_key(town: Town, path: Path) -> None:
    """Write the answer key of `town` beside the data; raises OSError if the file cannot be written."""
    plan = town.plan
    write_key(town.answer_key, path, seed=plan.seed, as_of=plan.as_of, cylinders=plan.cylinders)


def _live(
    plan: TownPlan, organisations: Organisations, chronicle: Chronicle, register: Register, market: Market
) -> AnswerKey:
    """Everything that happens in the town, in the order in which it is told; answers what to scan afterwards."""
    publish_rulebook(chronicle, plan)
    put_stations_in_order(chronicle, plan, organisations)
    fleets = station_fleets(register, organisations, plan.cylinders - own_cylinders(plan.cylinders))
    for station in organisations.stations:
        dice = Dice(plan.seed, f"month {station.station_id}")
        StationMonth(plan, station, fleets[station.station_id], chronicle, market, dice).trade()
    planter = Planter(
        register=register,
        organisations=organisations,
        empties={station_id: _empty(fleet) for station_id, fleet in fleets.items()},
        away=[life for life in fleets[DEMO_STATION] if life.state.status != "empty"],
        dice=Dice(plan.seed, "planted"),
    )
    planted = plant(planter)
    residue = Dice(plan.seed, "good scans")
    good = tuple(_good_scan(life, residue) for life in planter.empties[DEMO_STATION])
    return AnswerKey(planted, good)


def _empty(fleet: Sequence[Life]) -> list[Life]:
    return [life for life in fleet if life.state.status == "empty"]


def _good_scan(life: Life, dice: Dice) -> GoodScan:
    empty_gross_g = life.state.stamp.tare_g + dice.below(200)
    return GoodScan(printed_link(life.code), life.code, life.cylinder_id, empty_gross_g)
