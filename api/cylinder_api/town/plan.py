"""What a town is made from: the plan, its calendar, and how many of everything there are.

Places keep their number in every town: 7 companies, 12 filling stations, 21 delivery points (配送点), 69 areas
(片区) and 99 streets (街区). People grow and shrink with the number of cylinders: at 20,000 there are the 289
delivery workers (送气工) and 5,137 restaurants published for Linhai in 2021, and 8,000 households (our own
figure). No point is ever without a worker, a restaurant and a household.
"""

from dataclasses import dataclass, field
from importlib.resources import files

from cylinder_codes.authenticity import TagKey
from cylinder_trace.dates import month_of_day, parse_day, start_of_day_ms

DEFAULT_CYLINDERS = 20_000
FEWEST_CYLINDERS = 200
"""A smaller town has no room for one planted case of every kind."""

_FIRST_DAY, _LAST_DAY = "2026-01-31", "2999-12-31"
"""The shipped rulebook is in force from 1 January 2026, and the month of trade before the day is decided by it."""

DAYS_OF_TRADE = 30
"""Days of fills and sales, the last of them the day before `as_of`."""
_GO_LIVE_DAYS = 75
"""Longer ago than any waiting time of the rules before the month of trade: what the registers said of transfers of
ownership counts from the day it was recorded."""


def default_rulebook_text() -> str:
    """The national default rulebook that ships with the ledger."""
    return files("cylinder_trace").joinpath("rulebooks/cn-default.toml").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class TownPlan:
    """All that a town depends on. Raises ValueError for a day it cannot be made for and for too few cylinders."""

    seed: int
    as_of: str
    """The day (YYYY-MM-DD, Beijing) that the town is made for; trade ends on the evening before."""
    tag_key: TagKey
    cylinders: int = DEFAULT_CYLINDERS
    rulebook_text: str = field(default_factory=default_rulebook_text, repr=False)

    def __post_init__(self) -> None:
        parse_day(self.as_of)
        if not _FIRST_DAY <= self.as_of <= _LAST_DAY:
            message = f"a town is made for a day from {_FIRST_DAY} to {_LAST_DAY}, not for {self.as_of}"
            raise ValueError(message)
        if self.cylinders < FEWEST_CYLINDERS:
            message = f"a town has at least {FEWEST_CYLINDERS} cylinders, not {self.cylinders}"
            raise ValueError(message)

    @property
    def today(self) -> int:
        """`as_of` as a day ordinal."""
        return parse_day(self.as_of)

    @property
    def this_month(self) -> int:
        """The month of `as_of`, in months since year 0."""
        return month_of_day(self.today)

    @property
    def first_trading_day(self) -> int:
        """The first day of the month of fills, as an ordinal."""
        return self.today - DAYS_OF_TRADE

    @property
    def go_live_at(self) -> int:
        """The instant at which the companies' registers were taken over into the ledger."""
        return start_of_day_ms(self.today - _GO_LIVE_DAYS)


@dataclass(frozen=True, slots=True)
class Figures:
    """How many of everything a town has."""

    companies: int
    stations: int
    delivery_points: int
    delivery_workers: int
    restaurants: int
    households: int
    areas: int
    streets: int


def figures_for(cylinders: int) -> Figures:
    """The figures of a town with so many cylinders; see the module for what scales and what does not."""
    points = 21
    return Figures(
        companies=7,
        stations=12,
        delivery_points=points,
        delivery_workers=max(points, _scaled(289, cylinders)),
        restaurants=max(points, _scaled(5137, cylinders)),
        households=max(points, _scaled(8000, cylinders)),
        areas=69,
        streets=99,
    )


def _scaled(published: int, cylinders: int) -> int:
    return (published * cylinders + DEFAULT_CYLINDERS // 2) // DEFAULT_CYLINDERS
