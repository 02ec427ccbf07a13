"""The command line of the load test: start the service, put load on it, stop it, audit it, compare counts."""

import argparse
import ipaddress
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from load.briefing import make_brief
from load.homes import Home, Place, running_home, running_place
from load.levels import LEVELS, Level
from load.locust_run import LocustError, Run, run_locust, so_far
from load.machine_use import Use, Watch
from load.reckoning import Reckoning, ReckoningError, audit, reckon
from load.verdict import Outcome
from processes import ServerError
from town_service import AccessError, entries_behind, log_vkey, town_at

GOOD, BAD, COULD_NOT_CHECK = 0, 1, 2
_REPORTS = Path(__file__).resolve().parents[2] / "build" / "load"
_FILES_BESIDE_USERS = 200
_SAY_EVERY = 10
_REST_WITHIN_S, _LOOK_EVERY_S = 600, 5
_SPARE_BYTES = 2 * 10**9


class CannotLoad(Exception):
    """One sentence for the person at the keyboard."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load test and return the exit code."""
    try:
        outcome = _load(_parser().parse_args(arguments))
    except (CannotLoad, ServerError, AccessError, LocustError, ReckoningError) as error:
        print(f"load: {error}", file=sys.stderr)
        return COULD_NOT_CHECK
    except KeyboardInterrupt:
        print("load: stopped; nothing was compared", file=sys.stderr)
        return COULD_NOT_CHECK
    return GOOD if outcome.ok else BAD


def _load(options: argparse.Namespace) -> Outcome:
    level = LEVELS[options.level].times(options.times)
    users = sum(users.count for users in level.users().values())
    require_files(users + _FILES_BESIDE_USERS)
    outcome = _outcome(options, level, users)
    if options.json:
        goals = [asdict(goal) for goal in outcome.goals()]
        document = {"ok": outcome.ok, "goals": goals, **asdict(outcome), "folder": str(outcome.folder)}
        print(json.dumps(document, ensure_ascii=False))
    else:
        _print(outcome, Console())
    return outcome


def _outcome(options: argparse.Namespace, level: Level, users: int) -> Outcome:
    report = _REPORTS / time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    with tempfile.TemporaryDirectory(prefix="pinglian-load-") as name:
        folder = Path(name)
        require_room(folder)
        report.mkdir(parents=True, exist_ok=True)
        with _place(options, folder) as place:
            with _home(options, place, folder) as home:
                _let_it_rest(home)
                vkey = log_vkey(home.towns[0])
                brief = make_brief(home, level, options.seconds, folder, _say)
                brief.write(folder / "brief.json")
                _say(f"{level.does}: {users} users for {options.seconds} s …")
                watch = Watch(home.pids)
                run = run_locust(folder / "brief.json", users, options.seconds, report, _meanwhile(watch))
            _say("auditing the ledger …")
            fits, story = audit(place.audited, vkey)
            reckoning = reckon(report / "told.jsonl", place.database_url, brief.run_id)
        return Outcome(level, run, watch.use(), reckoning, fits, story, report)


def _let_it_rest(home: Home) -> None:
    """Wait until what follows the log has followed the generated town too: its work is not the load's."""
    until = time.monotonic() + _REST_WITHIN_S
    while (behind := entries_behind(home.towns[0])) and time.monotonic() < until:
        _say(f"waiting for lists and EPCIS: {behind} entries behind …")
        time.sleep(_LOOK_EVERY_S)


def _meanwhile(watch: Watch) -> Callable[[Path], None]:
    """Watch the machine, and every ten seconds say how far it is."""
    looks = count(1)

    def look(history: Path) -> None:
        watch.look()
        if next(looks) % _SAY_EVERY == 0:
            _say(so_far(history))

    return look


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@contextmanager
def _place(options: argparse.Namespace, folder: Path) -> Iterator[Place]:
    if options.host is None:
        with running_place(folder, options.home_db) as place:
            yield place
        return
    if options.data is None:
        raise CannotLoad("--host needs --data: the data folder of that service, to audit it afterwards")
    require_own(options.host, mine=options.host_is_mine)
    yield Place(options.data, os.environ.get("DATABASE_URL", f"sqlite:///{options.data / 'ledger.db'}"), {})


@contextmanager
def _home(options: argparse.Namespace, place: Place, folder: Path) -> Iterator[Home]:
    if options.host is not None:
        yield Home((town_at(options.host, options.data),))
        return
    processes = 1 if options.home_db == "sqlite" else options.processes
    _say(f"starting the service ({options.home_db}, {processes} of it) with a town of {options.cylinders} cylinders …")
    with running_home(folder, place, options.cylinders, processes, options.port) as home:
        yield home


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


def require_files(wanted: int) -> None:
    """Have so many files open at once, in this process and those it starts; raises CannotLoad."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CannotLoad(
            f"a process may open {hard} files here and {wanted} are needed; raise it (ulimit -n), or --times"
        )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def require_room(folder: Path) -> None:
    """Raise CannotLoad where a run would fill the disk."""
    free = shutil.disk_usage(folder).free
    if free < _SPARE_BYTES:
        raise CannotLoad(
            f"{folder} has {free // 10**6} MB free, less than {_SPARE_BYTES // 10**6}; make room, or set TMPDIR"
        )


def _print(outcome: Outcome, console: Console) -> None:
    _print_requests(outcome.run, console)
    _print_goals(outcome, console)
    _print_use(outcome.use, console)
    console.print(outcome.audit_story, markup=False)
    _print_reckoning(outcome.reckoning, console)
    console.print(f"report with charts: {outcome.folder}/report.html; tables beside it", markup=False)
    console.print("✔ all holds" if outcome.ok else "✘ NOT all holds", markup=False)


def _print_requests(run: Run, console: Console) -> None:
    table = Table(title="requests 请求")
    table.add_column("request", no_wrap=True)
    for heading in ("sent", "failed", "per s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for kind in run.kinds:
        times = (f"{value:.0f}" for value in (kind.p50_ms, kind.p95_ms, kind.p99_ms))
        table.add_row(kind.name, str(kind.requests), str(kind.failures), f"{kind.per_second:.1f}", *times)
    console.print(table)
    for failure in run.failures:
        console.print(f"✘ {failure.times} × {failure.name}: {failure.error}", markup=False)


def _print_goals(outcome: Outcome, console: Console) -> None:
    table = Table(title=f"{outcome.level.does} 目标")
    for heading in ("goal", "wanted", "had", "met"):
        table.add_column(heading, justify="left" if heading == "goal" else "right")
    for goal in outcome.goals():
        table.add_row(goal.what, goal.wanted, goal.had, "met" if goal.met else "missed")
    console.print(table)


def _print_use(use: Use, console: Console) -> None:
    parts = ", ".join(f"{who} {part:.0%}" for who, part in sorted(use.parts.items()))
    console.print(f"of the whole machine ({os.cpu_count()} cores): {parts}", markup=False)


def _print_reckoning(reckoning: Reckoning, console: Console) -> None:
    console.print(
        f"told: {reckoning.told} records ({reckoning.told_again} of them told again); "
        f"in the ledger: {reckoning.recorded}, and {reckoning.disputes} disputes about them",
        markup=False,
    )
    for word in ("missing", "doubled", "different", "untold"):
        ids: list[str] = getattr(reckoning, word)
        if ids:
            console.print(f"✘ {word}: {len(ids)}, first {ids[0]}", markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadtests/load",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Start the service with a generated town, let Locust put load on it, stop it, audit the ledger,\n"
        "and compare: what Locust was told was recorded must be there, exactly once.\n\nlevels:\n"
        + "\n".join(f"  {name:8} {level.does}, {level.events:.0f} events a second" for name, level in LEVELS.items()),
        epilog="Exit code 0: all holds. 1: a request failed or the ledger differs. 2: it could not be tried.",
    )
    asked = os.environ
    parser.add_argument("--level", choices=LEVELS, default=asked.get("LEVEL", "day"), help="(default %(default)s)")
    parser.add_argument("--times", type=_fraction, default=1.0, help="so much of the level's load (default 1)")
    parser.add_argument("--seconds", type=_positive, default=60, help="how long (default %(default)s)")
    parser.add_argument(
        "--home-db", choices=("postgres", "sqlite"), default=asked.get("HOME_DB", "postgres"),
        help="PostgreSQL and Redis, or the embedded default (also HOME_DB; default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--processes", type=_positive, default=2, help="of the service on PostgreSQL (default 2)")
    parser.add_argument(
        "--cylinders", type=_positive, default=asked.get("CYLINDERS", "5000"),
        help="size of the town (also CYLINDERS; default %(default)s)",
    )  # fmt: skip
    parser.add_argument("--port", type=_positive, help="port for the first process (default: a free one)")
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


def _fraction(text: str) -> float:
    number = float(text)
    if not 0 < number <= 100:
        raise ValueError("a number above 0")
    return number
