"""A small ledger in either home, for tests: records of a cylinder's life, a clock that only moves forward."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cylinder_codes.keys import SigningKey
from cylinder_trace import events
from cylinder_trace.events import Record, Stamp, state_event
from cylinder_trace.store.ledger import Ledger

KEY = SigningKey("ledger.example/cylinders", bytes(range(32)))
START = 1_790_000_000_000


@dataclass
class Clock:
    """UTC milliseconds that a test sets; each reading is one later."""

    at: int = START
    readings: int = field(default=0)

    def __call__(self) -> int:
        self.readings += 1
        return self.at + self.readings


@dataclass
class Home:
    """Where a ledger lives, so that it can be opened again."""

    url: str
    folder: Path
    clock: Clock = field(default_factory=Clock)

    @contextmanager
    def open(self) -> Iterator[Ledger]:
        with Ledger(self.url, self.folder, KEY, self.clock) as ledger:
            yield ledger


STAMP = Stamp(
    maker="M1",
    serial="A0001",
    model="YSP35.5",
    manufactured_month="2024-03",
    tare_g=16500,
    water_volume_ml=35500,
    max_fill_g=14900,
)


def registered(number: int, owner: str = "co_1") -> Record:
    stamp = STAMP.model_copy(update={"serial": f"A{number:04d}"})
    event = events.CylinderRegistered(
        stamp=stamp, owner_id=owner, registration_no=f"瓶{number}", in_service_on="2024-04-01"
    )
    return _about(number, event, f"reg.{number}", refs=(f"company/{owner}",))


def bound(number: int, code: str | None = None) -> Record:
    name = (code or f"CODE{number}").encode().hex()[:60]
    return _about(number, events.CodeBound(code=code or f"CODE{number}"), f"code.{number}.{name}")


def condemned(number: int) -> Record:
    return _about(number, events.Condemned(body_id="ib_1", cause="wall too thin"), f"cond.{number}")


def withdrawn(number: int) -> Record:
    event = events.RegistrationWithdrawn(import_id="import-1", company_id="co_1", cause="columns shifted")
    return _about(number, event, f"withdrawn.{number}")


def returned(number: int, id: str) -> Record:
    return _about(number, events.Returned(station_id="st_1"), id, refs=("station/st_1",))


def _about(number: int, event: events.Event, id: str, refs: tuple[str, ...] = ()) -> Record:
    return state_event(event, id=id, subject=f"cylinder/cyl_{number}", occurred_at=START, by="account_1", refs=refs)
