"""Entries that detection reads, in the order of a log, and events for them; only what detection reads must be right."""

from dataclasses import dataclass, field
from typing import Any

from cylinder_trace import events
from cylinder_trace.chain import Head, seal
from cylinder_trace.decision import Decision
from cylinder_trace.detection.signals import Signal
from cylinder_trace.detection.watch import detect
from cylinder_trace.events import Event, Stamp, state_event
from cylinder_trace.rulebook import parse_rulebook
from cylinder_trace.vocabulary.inspecting import MANDATORY_ITEMS
from vectors.admission.cases import base_case, rulebook_text

NATIONAL = rulebook_text("cn-default")
BOOK = parse_rulebook(NATIONAL)
CASE = base_case()
NOON = 1_795_318_800_000  # 2026-11-22T11:40:00+08:00
MIDNIGHT = 1_795_363_200_000  # 2026-11-23T00:00:00+08:00
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BLACK = events.Flagged(flag="black", authority_id="au_1", cause="x")


@dataclass
class Log:
    """Entries in the order of a log; only what detection reads must be right."""

    entries: list[tuple[bytes, bytes]] = field(default_factory=list)

    def tell(self, subject: str, event: Event, at: int, recorded_at: int | None = None) -> str:
        """Append what occurred at `at`; its hash."""
        record = state_event(event, id=f"e{len(self.entries)}", subject=subject, occurred_at=at, by="tests")
        sealed = seal(record, Head(0, "0" * 64), at if recorded_at is None else recorded_at)
        self.entries.append((sealed.text, sealed.hash))
        return sealed.hash.hex()

    def signals(self, book: str = NATIONAL) -> list[Signal]:
        return list(detect(self.entries, parse_rulebook(book)))

    def one(self, book: str = NATIONAL) -> Signal:
        (signal,) = self.signals(book)
        return signal


def kinds(signals: list[Signal]) -> list[str]:
    return [signal.kind for signal in signals]


def cylinder(number: int = 1) -> str:
    return f"cylinder/cyl_{number}"


def stamp(**changes: Any) -> Stamp:
    fields = {"maker": "M1", "serial": "S1", "model": "YSP35.5", "manufactured_month": "2022-05"}
    return Stamp(**{**fields, "tare_g": 16500, "water_volume_ml": 35500, "max_fill_g": 14900, **changes})


def registered(**changes: Any) -> Event:
    return events.CylinderRegistered(stamp=stamp(**changes), owner_id="co_1", in_service_on="2022-06-01")


def scanned(at: int, station: str = "st_1") -> Event:
    assert CASE.cylinder is not None
    request = CASE.request.model_copy(update={"station_id": station, "requested_at": at})
    decision = Decision(check_id="c", outcome="DENY", rulebook="x@1", data_as_of=at, decided_at=at)
    return events.FillDecided(request=request, station=CASE.station, decision=decision, decided_by="service")


def filled(at: int, station: str = "st_1", worker: str = "w_1", net_g: int = 14_500) -> Event:
    return events.Filled(
        check_id="c", station_id=station, scale_id="sc_1", lane=1, worker_id=worker, started_at=at - MINUTE,
        ended_at=at, empty_gross_g=16_500, full_gross_g=16_500 + net_g, net_g=net_g, ended_because="limit_reached",
    )  # fmt: skip


def sold(customer: str = "cu_1") -> Event:
    return events.Sold(
        order_no="o1", point_id="p1", worker_id="dw_1", customer_id=customer, identity_commitment="0" * 64,
        safety_check_passed=True,
    )  # fmt: skip


def returned(station: str = "st_1") -> Event:
    return events.Returned(station_id=station)


def inspected(month: str = "2026-11", due: str | None = "2030-11", result: Any = "passed", body: str = "ib_1") -> Event:
    return events.Inspected(
        body_id=body, inspected_month=month, next_due_month=due, result=result, report_no="r",
        items=tuple(sorted(MANDATORY_ITEMS)),
    )  # fmt: skip


def taken_over() -> Event:
    """What is known of an inspection before the cylinder came into this ledger: the mark alone."""
    return events.Inspected(body_id="ib_1", inspected_month="2026-11", result="passed", report_no="r")


def moved(giver: str, taker: str) -> Event:
    return events.OwnershipTransferred(from_owner_id=giver, to_owner_id=taker, cosigned=True)


def read(value: int) -> Event:
    return events.InspectionItemRecorded(
        body_id="ib_1", report_no="r", item="wall_thickness", result="passed", inspector_id="i1", reviewer_id="i2",
        reading=value, unit="um",
    )  # fmt: skip


def received(mass_g: int, station: str = "st_1") -> Event:
    return events.GasLotReceived(station_id=station, supplier_id="su_1", product="lpg", mass_g=mass_g, document_no="1")
