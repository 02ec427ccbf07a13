"""What the makers of planted cases work with."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cylinder_api.town.answer_key import PlantedScan
from cylinder_api.town.chronicle import Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.month import printed_link
from cylinder_api.town.organisations import (
    DEMO_COMPANY,
    DEMO_STATION,
    Organisations,
)
from cylinder_api.town.pasts import (
    Past,
    any_sound_past,
    sound_past,
)
from cylinder_api.town.register import Register
from cylinder_trace.dates import HOUR_MS, start_of_day_ms
from cylinder_trace.reasons import REASONS


@dataclass(slots=True)
class Planter:
    """What makers work with: the register, good empty cylinders by station, cylinders that are away."""

    register: Register
    organisations: Organisations
    empties: dict[str, list[Life]]
    away: list[Life]
    """Cylinders of the demonstration station that are filled or at customers."""
    dice: Dice
    scans: list[PlantedScan] = field(default_factory=list)

    def make(self, past: Past, owner_id: str = DEMO_COMPANY) -> Life:
        """A cylinder with a past of its own."""
        return self.register.add(past, owner_id)

    def aged(self, ages: tuple[int, int], stamped: bool) -> Past:
        """A sound past of steel as old as one of `ages`, in months."""
        age = self.dice.between(*ages)
        return sound_past(self.dice, self.register.plan, self.register.next_serial, age, stamped)

    def any_age(self) -> Past:
        """A sound past of any age."""
        return any_sound_past(self.dice, self.register.plan, self.register.next_serial)

    def take(self, station_id: str = DEMO_STATION) -> Life:
        """A good empty cylinder out of a station."""
        return self.empties[station_id].pop()

    def days_ago(self, fewest: int, most: int) -> int:
        """An instant in working hours, so many days before the plan's day."""
        day = self.register.plan.today - self.dice.between(fewest, most)
        return start_of_day_ms(day) + 9 * HOUR_MS + self.dice.below(7 * HOUR_MS)

    def scan(self, life: Life, *reasons: str, station_id: str = DEMO_STATION) -> PlantedScan:
        """The scan of `life` at a scale in good order, to be refused for `reasons`."""
        return replace(
            self.scan_of_text(printed_link(life.code), *reasons, station_id=station_id),
            code=life.code,
            cylinder_id=life.cylinder_id,
            empty_gross_g=life.state.stamp.tare_g + self.dice.below(200),
        )

    def scan_of_text(self, raw_text: str, *reasons: str, station_id: str = DEMO_STATION) -> PlantedScan:
        """The scan of a text that leads to no cylinder."""
        station = self.organisations.station(station_id)
        place = len(self.scans)
        return PlantedScan(
            kind=f"{reasons[0]} {REASONS[reasons[0]].word}",
            raw_text=raw_text,
            code=None,
            cylinder_id=None,
            station_id=station_id,
            scale_id=station.scale_ids[place % len(station.scale_ids)],
            lane=place % len(station.scale_ids) + 1,
            worker_id=station.filler_ids[place % len(station.filler_ids)],
            empty_gross_g=16_500 + self.dice.below(400),
            expected_reasons=reasons,
        )


Maker = Callable[[Planter, int], PlantedScan]
"""Makes the case; the number counts the cases of this kind from 0, for kinds that come in several shapes."""
