"""The last month of trade: fills, sales, returns (充装、销售、回收), day by day and station by station.

About one empty cylinder in sixty is filled on a working day, between 07:00 and 18:00 Beijing time with a rush in
the morning and a smaller one after noon; Sundays are quieter. A scale fills one cylinder at a time. A filled
cylinder goes out the same afternoon or within two days, and comes back empty after four days to four weeks,
from restaurants sooner than from households. On the day the ledger went live every cylinder is on file as empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cylinder_api.town.chronicle import Chronicle, Life
from cylinder_api.town.dice import Dice
from cylinder_api.town.market import Market
from cylinder_api.town.organisations import Station
from cylinder_api.town.people import CustomerKind
from cylinder_api.town.plan import TownPlan
from cylinder_codes.base32 import encode_base32
from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_trace.admission import decide_fill
from cylinder_trace.dates import HOUR_MS, MINUTE_MS, format_day, local_day, start_of_day_ms
from cylinder_trace.decision import FillRequest
from cylinder_trace.events import FillDecided, Filled, Returned
from cylinder_trace.station import facts_for

_HOURS = ((7, 6), (8, 11), (9, 13), (10, 12), (11, 9), (12, 4), (13, 6), (14, 11), (15, 12), (16, 10), (17, 6))
_FILLS_PER_MILLE = 16
_SUNDAY_PER_MILLE = 9
_SUNDAY = 0  # a day's ordinal modulo 7
_RESIDUE_G = 200
_OVERSHOOT_G = 30


def printed_link(code: str) -> str:
    """The link as it is printed on a label, and as a scanner types it."""
    return f"HTTPS://{DEFAULT_HOST.upper()}/C/{code}"


@dataclass(slots=True)
class Scale:
    """A scale, its lane, and when it is free again."""

    scale_id: str
    lane: int
    free_at: int = 0


@dataclass(slots=True)
class StationMonth:
    """One station's month: its fleet, its scales, and the day from which each cylinder can be filled again."""

    plan: TownPlan
    station: Station
    fleet: Sequence[Life]
    chronicle: Chronicle
    market: Market
    dice: Dice
    orders: int = 0
    _scales: list[Scale] = field(default_factory=list)
    _back_on: dict[str, int] = field(default_factory=dict)

    def trade(self) -> None:
        """Fill, sell and take back on every day of the month."""
        lanes = enumerate(self.station.scale_ids, start=1)
        self._scales = [Scale(scale_id, lane) for lane, scale_id in lanes]
        for day in range(self.plan.first_trading_day, self.plan.today):
            chance = _SUNDAY_PER_MILLE if day % 7 == _SUNDAY else _FILLS_PER_MILLE
            here = [life for life in self.fleet if self._back_on.get(life.cylinder_id, 0) <= day]
            chosen = [life for life in here if self.dice.per_mille(chance)]
            times = sorted(self._time_of_day(day) for _ in chosen)
            for at, life in zip(times, chosen, strict=True):
                self._cycle(life, at)

    def _time_of_day(self, day: int) -> int:
        return start_of_day_ms(day) + self.dice.weighted(_HOURS) * HOUR_MS + self.dice.below(HOUR_MS)

    def _cycle(self, life: Life, at: int) -> None:
        """Fill, sell, take back, as far as the month reaches; until then the cylinder is away."""
        end = start_of_day_ms(self.plan.today)
        self._back_on[life.cylinder_id] = self.plan.today
        full_at = self._fill(life, at)
        sold_at = self._delivery_time(full_at)
        if sold_at >= end:
            return
        self.orders += 1
        order_no = f"so_{self.station.station_id}_{self.orders:06d}"
        customer = self.market.sell(self.dice, life, self.station.company_id, order_no, sold_at)
        returned_at = self._return_time(sold_at, customer.kind)
        if returned_at >= end:
            return
        station_id = self.station.station_id
        refs = (f"station/{station_id}",)
        life.happen(Returned(station_id=station_id), returned_at, station_id, refs)
        self._back_on[life.cylinder_id] = local_day(returned_at) + 1

    def _fill(self, life: Life, at: int) -> int:
        """Decide and fill at the scale that is free first; answers when the valve shut."""
        scale = min(self._scales, key=lambda scale: scale.free_at)
        request = self._request(life, scale, max(at, scale.free_at))
        net_g = self._decide(life, request)
        state = life.state
        started_at = request.requested_at + self.dice.between(4_000, 15_000)
        gas_g = state.stamp.tare_g + net_g - request.empty_gross_g
        ended_at = started_at + 3_000 + gas_g * 1000 // self.dice.between(170, 230)
        filled = Filled(
            check_id=request.check_id,
            station_id=request.station_id,
            scale_id=scale.scale_id,
            lane=scale.lane,
            worker_id=request.worker_id or "",
            started_at=started_at,
            ended_at=ended_at,
            empty_gross_g=request.empty_gross_g,
            full_gross_g=request.empty_gross_g + gas_g,
            net_g=net_g,
            ended_because="limit_reached",
        )
        life.happen(filled, ended_at, request.station_id, _refs(request), id=f"{request.check_id}.filled")
        scale.free_at = ended_at + self.dice.between(10_000, 30_000)
        return ended_at

    def _request(self, life: Life, scale: Scale, at: int) -> FillRequest:
        return FillRequest(
            check_id=f"chk_{encode_base32(int.from_bytes(self.dice.bytes(16), 'big'), 26).lower()}",
            raw_scan=printed_link(life.code),
            code=life.code,
            station_id=self.station.station_id,
            scale_id=scale.scale_id,
            lane=scale.lane,
            boot_id=f"{self.station.station_id}.{format_day(local_day(at))}",
            worker_id=self.dice.pick(self.station.filler_ids),
            empty_gross_g=life.state.stamp.tare_g + self.dice.below(_RESIDUE_G),
            requested_at=at,
        )

    def _decide(self, life: Life, request: FillRequest) -> int:
        """Record the service's own decision; answers how much gas is in the cylinder afterwards."""
        now = request.requested_at + self.dice.between(20, 90)
        skew = request.requested_at - now
        facts = facts_for(self.chronicle.stations[request.station_id], request, now, skew)
        decision = decide_fill(request, life.state, facts, self.chronicle.book, now)
        if decision.target_net_g is None or decision.outcome != "ALLOW":
            raise ValueError(f"the month fills what may not be filled: {decision}")
        event = FillDecided(request=request, station=facts, decision=decision, decided_by="service")
        refs = (*_refs(request), f"company/{self.station.company_id}")
        life.happen(event, now, "service", refs, id=request.check_id, delay_ms=3)
        return decision.target_net_g + self.dice.below(_OVERSHOOT_G)

    def _delivery_time(self, full_at: int) -> int:
        """The same day if an hour and a half is left until 18:30, else on one of the next two mornings."""
        evening = start_of_day_ms(local_day(full_at)) + 18 * HOUR_MS + 30 * MINUTE_MS
        if full_at + 90 * MINUTE_MS < evening and self.dice.per_mille(600):
            return full_at + self.dice.between(30, 90) * MINUTE_MS
        day = local_day(full_at) + self.dice.between(1, 2)
        return start_of_day_ms(day) + 8 * HOUR_MS + self.dice.below(9 * HOUR_MS)

    def _return_time(self, sold_at: int, kind: CustomerKind) -> int:
        days = self.dice.between(4, 12) if kind == "restaurant" else self.dice.between(12, 28)
        return start_of_day_ms(local_day(sold_at) + days) + 8 * HOUR_MS + self.dice.below(9 * HOUR_MS)


def _refs(request: FillRequest) -> tuple[str, ...]:
    return (f"station/{request.station_id}", f"worker/{request.worker_id}")
