"""The command line of the load test: start the service, put load on it, stop it, audit it, compare counts."""

import argparse
import ipaddress
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from load.locust_run import Load, LocustError, Run, run_locust
from load.reckoning import Reckoning, ReckoningError, audit, reckon
from load_stations import write_station
from processes import ServerError
from town_service import AccessError, Town, running_town, station_in, town_at

GOOD, BAD, COULD_NOT_CHECK = 0, 1, 2


class CannotLoad(Exception):
    """One sentence for the person at the keyboard."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    run: Run
    reckoning: Reckoning
    audit_ok: bool
    audit_story: str

    @property
    def ok(self) -> bool:
        """Whether every request succeeded and the ledger holds what was told, exactly once."""
        acknowledged = self.reckoning.told + self.reckoning.told_again
        counted = self.run.failed == 0 and self.run.succeeded == acknowledged
        return counted and self.reckoning.fits(unanswered=self.run.failed) and self.audit_ok


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load test and return the exit code."""
    try:
        options = _parser().parse_args(arguments)
        outcome = _run(options)
    except (CannotLoad, ServerError, AccessError, LocustError, ReckoningError) as error:
        print(f"load: {error}", file=sys.stderr)
        return COULD_NOT_CHECK
    except KeyboardInterrupt:
        print("load: stopped; nothing was compared", file=sys.stderr)
        return COULD_NOT_CHECK
    if options.json:
        print(json.dumps({"ok": outcome.ok, **asdict(outcome)}, ensure_ascii=False))
    else:
        _print(outcome, Console())
    return GOOD if outcome.ok else BAD


def _run(options: argparse.Namespace) -> Outcome:
    run_id = f"load-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory(prefix="pinglian-load-") as name:
        folder = Path(name)
        with _town(options, folder) as town:
            print(f"{options.users} lanes for {options.seconds} s against {town.base_url} …", file=sys.stderr)
            write_station(station_in(town), folder / "station.json")
            load = Load(options.users, options.seconds)
            run = run_locust(town.base_url, folder / "station.json", folder, run_id, load)
        fits, story = audit(town.data)
        reckoning = reckon(folder / "told.jsonl", town.data / "ledger.db", run_id)
        return Outcome(run, reckoning, fits, story)


@contextmanager
def _town(options: argparse.Namespace, folder: Path) -> Iterator[Town]:
    if options.host is None:
        print(f"starting the service with a town of {options.cylinders} cylinders …", file=sys.stderr)
        with running_town(folder, options.cylinders, options.port) as town:
            yield town
    else:
        if options.data is None:
            raise CannotLoad("--host needs --data: the data folder of that service, to audit it afterwards")
        require_own(options.host, mine=options.host_is_mine)
        yield town_at(options.host, options.data)


def require_own(host: str, *, mine: bool) -> None:
    """Raise CannotLoad unless the URL leads to this machine itself, or its owner says so."""
    parts = urlsplit(host)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CannotLoad(f"{host} is not the URL of a service; it reads http://127.0.0.1:8000")
    if not mine and not _is_loopback(parts.hostname):
        raise CannotLoad(f"{parts.hostname} is not this machine; load is put on others only with --host-is-mine")


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _print(outcome: Outcome, console: Console) -> None:
    table = Table(title="a filling line 充装线")
    table.add_column("request", no_wrap=True)
    for heading in ("sent", "failed", "per s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for kind in outcome.run.kinds:
        times = (f"{value:.0f}" for value in (kind.p50_ms, kind.p95_ms, kind.p99_ms))
        table.add_row(kind.name, str(kind.requests), str(kind.failures), f"{kind.per_second:.1f}", *times)
    console.print(table)
    for failure in outcome.run.failures:
        console.print(f"✘ {failure.times} × {failure.name}: {failure.error}", markup=False)
    console.print(outcome.audit_story, markup=False)
    _print_reckoning(outcome.reckoning, console)
    console.print("✔ all holds" if outcome.ok else "✘ NOT all holds", markup=False)


def _print_reckoning(reckoning: Reckoning, console: Console) -> None:
    console.print(
        f"told: {reckoning.told} records ({reckoning.told_again} of them told again); "
        f"in the ledger: {reckoning.recorded}",
        markup=False,
    )
    for word in ("missing", "doubled", "different", "untold"):
        ids: list[str] = getattr(reckoning, word)
        if ids:
            console.print(f"✘ {word}: {len(ids)}, first {ids[0]}", markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadtests/load",
        description="Start the service with a generated town, let Locust work a filling line against it, stop it, "
        "audit the ledger, and compare: what Locust was told was recorded must be there, exactly once.",
        epilog="Exit code 0: all holds. 1: a request failed or the ledger differs. 2: it could not be tried.",
    )
    cylinders = os.environ.get("CYLINDERS", "1000")
    parser.add_argument("--users", type=_positive, default=16, help="lanes at the station (default %(default)s)")
    parser.add_argument("--seconds", type=_positive, default=10, help="how long (default %(default)s)")
    parser.add_argument(
        "--cylinders", type=_positive, default=cylinders,
        help="size of the town, also from the environment as CYLINDERS (default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--port", type=_positive, help="port for the service (default: a free one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--host", metavar="URL", help="a service that runs already, instead of starting one")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the data folder of that service")
    parser.add_argument(
        "--host-is-mine", action="store_true", help="put load on another address than loopback: only on your own"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("a number from 1 on")
    return number
