"""Rows about lists and search, over a fleet of a million cylinders in the read model; the log itself stays small."""

import atexit
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from sqlalchemy import insert

from benchmarks.folders import fresh_folder
from benchmarks.measure import BenchError, Pair, Row, Scale
from benchmarks.rows import samples
from cylinder_trace.store.database import open_engine, parse_url
from cylinder_trace.store.fleet.place import FLEET
from cylinder_trace.subjects import format_state
from processes import ServerError
from town_service import AccessError, Town, bearer, running_town

_TOWN = 200
_ASKED = 200
"""Questions in a round."""
_SEED = 20_261_122
_AT_ONCE = 5000
_PROMISE_MS = 50.0
_FIRST_DUE = 739_900
_COMMON = ("empty", "at_customer", "filled", "in_delivery", "at_customer")
_ENDED = ("condemned", "destroyed")

_until_the_end = ExitStack()
atexit.register(_until_the_end.close)


@cache
def _fleet(count: int) -> Path:
    """A folder whose service lists `count` cylinders, built once in a run."""
    folder = _until_the_end.enter_context(fresh_folder())
    with running_town(folder, _TOWN):
        pass
    engine = open_engine(parse_url(f"sqlite:///{folder / 'data' / 'ledger.db'}"), writer=True)
    rows, started = _rows(count), time.monotonic()
    with engine.begin() as connection:
        while some := list(islice(rows, _AT_ONCE)):
            connection.execute(insert(FLEET), some)
    engine.dispose()
    print(f"  building: {count:,} cylinders listed, {time.monotonic() - started:,.0f} s", file=sys.stderr)
    return folder


def _rows(count: int) -> Iterator[dict[str, Any]]:
    """Cylinders of forty companies in twelve districts; six in a hundred have ended, some are black or lost."""
    drawn, state = random.Random(_SEED), format_state(samples.cylinder())
    for number in range(count):
        ended, company = drawn.random() < 0.06, drawn.randrange(40)
        black, lost = drawn.random() < 0.002, drawn.random() < 0.005
        marks = [word for word, is_so in (("black", black), ("lost", lost)) if is_so]
        yield {
            "cylinder_id": f"cyl_{drawn.getrandbits(104):026x}",
            "owner_id": f"co_{company}",
            "station_id": f"st_{company * 3 + drawn.randrange(3)}",
            "district": f"3301{company % 12:02}",
            "maker": f"maker {drawn.randrange(6)}",
            "serial": f"A{number:08}",
            "model": drawn.choice(("YSP12", "YSP35.5", "YSP118")),
            "made": f"20{drawn.randrange(10, 26)}-{drawn.randrange(1, 13):02}",
            "status": drawn.choice(_ENDED if ended else _COMMON),
            "due_day": None if ended else _FIRST_DUE + 30 * drawn.randrange(52),
            "lot_id": f"lot_{drawn.randrange(3000)}",
            "black": black,
            "lost": lost,
            "marks": "".join(f"|{mark}" for mark in marks) + "|" * bool(marks),
            "state": state,
            "memo": "{}",
        }


def _lists(drawn: random.Random) -> dict[str, object]:
    """One of the lists that people ask for, alone and joined, some of which hardly anything meets."""
    company = drawn.randrange(40)
    return drawn.choice(
        [
            {"overdue": True},
            {"overdue": True, "owner": f"co_{company}"},
            {"due_within_days": 60, "district": f"3301{drawn.randrange(12):02}"},
            {"black": True, "district": "33010"},
            {"lost": True},
            {"station": f"st_{company}", "status": "at_customer"},
            {"status": "destroyed", "district": f"3301{drawn.randrange(12):02}"},
            {"lot": f"lot_{drawn.randrange(3000)}"},
            {"maker": f"maker {drawn.randrange(6)}", "model": "YSP118", "made": "2014"},
            {"maker": f"maker {drawn.randrange(6)}", "made": "2031"},
            {},
        ]
    )


def _stamps(drawn: random.Random) -> dict[str, object]:
    """A serial in the steel, with its maker or its year."""
    other = drawn.choice([{"maker": f"maker {drawn.randrange(6)}"}, {"made": f"20{drawn.randrange(10, 26)}"}])
    return {"serial": f"A{drawn.randrange(1_000_000):08}", **other}


def _prepared(question: Callable[[random.Random], dict[str, object]]) -> Callable[[Scale], Any]:
    @contextmanager
    def prepare(scale: Scale) -> Iterator[Pair]:
        drawn = random.Random(_SEED)
        try:
            with running_town(_fleet(scale.count(100_000)), _TOWN) as town:
                yield Pair(
                    ours=lambda: _slowest_ms(town, [question(drawn) for _ in range(_ASKED)]), other=lambda: _PROMISE_MS
                )
        except (ServerError, AccessError) as error:
            raise BenchError(str(error)) from error

    return prepare


def _slowest_ms(town: Town, questions: Sequence[dict[str, object]]) -> float:
    """How long the slowest hundredth of the first two pages of each list take."""
    times: list[float] = []
    with httpx.Client(base_url=town.base_url, headers=bearer(town, "regulator"), timeout=60) as client:
        for question in questions:
            asked = dict(question)
            for _page in range(2):
                started = time.perf_counter()
                answer = client.get(f"/v1/cylinders?{urlencode(asked)}")
                times.append(1e3 * (time.perf_counter() - started))
                if not answer.is_success:
                    raise BenchError(f"/v1/cylinders answered {answer.status_code}: {answer.text[:200]}")
                if (cursor := answer.json()["next"]) is None:
                    break
                asked["cursor"] = cursor
    return sorted(times)[-1 - len(times) // 100]


LIST_PAGE = Row(
    name="api.list_page",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 50 ms, the slowest hundredth, 1,000,000 cylinders",
    prepare=_prepared(_lists),
    sizes="large",
)
"""`GET /v1/cylinders`, fifty to a page, one caller: lists by one condition and by several."""

SEARCH = Row(
    name="api.search",
    unit="ms",
    better="lower",
    goal=1.0,
    kind="bound",
    against="the promise: 50 ms, the slowest hundredth, 1,000,000 cylinders",
    prepare=_prepared(_stamps),
    sizes="large",
)
"""The same by two facts of the stamp."""
