"""`make soak`: the same laws as in the tests, in large numbers, for as long as you like; it goes on where it stopped.

Each law is a function of a seed.  Progress lies in .soak/done; a failing seed is printed, kept in .soak/failed, and can
be run alone with ``--law NAME --seed N``.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from laws import admission, crash, reading, station_crash, stations, tamper, working_day

Law = Callable[[int, Path], None]
LAWS: dict[str, Law] = {
    "crash-sqlite": crash.on_sqlite,
    "crash-postgresql": crash.on_postgresql,
    "station-crash": station_crash.check,
    "working-day": working_day.check,
    "tamper": tamper.check,
    "reading": reading.check,
    "admission": admission.check,
    "stations": stations.month_of_five,
    "stations-hundred": stations.days_of_a_hundred,
}
_PROGRESS = Path(".soak/done")
_TOLD_EVERY = 10
_FAILED = Path(".soak/failed")
"""Seeds that failed, a line each; gone only when somebody removes it."""
_FIRST_SEED = 1_000


def main() -> int:
    """Run seeds until the time is over or so many are done; exit 0 if every law held, 1 if one did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="how long to go on (default 60)")
    parser.add_argument("--law", choices=LAWS, help="this law only")
    parser.add_argument("--count", type=int, help="go on until so many seeds are done, however long it takes")
    parser.add_argument("--seed", type=int, help="this seed only, once")
    arguments = parser.parse_args()
    laws = {name: law for name, law in LAWS.items() if arguments.law in (None, name)}
    if arguments.seed is not None:
        held = [_holds(name, law, arguments.seed) for name, law in laws.items()]
        return 0 if all(held) else 1
    until = time.monotonic() + arguments.minutes * 60
    wanted = arguments.count
    return _soak(laws, wanted or sys.maxsize, sys.float_info.max if wanted else until)


def _soak(laws: dict[str, Law], count: int, deadline: float) -> int:
    """The law with the fewest seeds done comes next, until each has `count` or the time is over."""
    done = {name: _done(name) for name in laws}
    while time.monotonic() < deadline and (name := min(laws, key=lambda name: done[name])) and done[name] < count:
        _holds(name, laws[name], _FIRST_SEED + done[name])
        done[name] += 1
        _keep(name, done[name])
        if done[name] % _TOLD_EVERY == 0 or done[name] == count:
            print(f"seeds done since the beginning: {name} {done[name]}, failed {_failed(name)}", flush=True)
    return 1 if any(map(_failed, laws)) else 0


def _holds(name: str, law: Law, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="pinglian-soak-") as folder:
        try:
            law(seed, Path(folder))
        except Exception as error:  # noqa: BLE001 - a ledger that does not even open has broken the law, too
            traceback.print_exc()
            print(f"✘ law {name}, seed {seed}: {error}\n  replay: --law {name} --seed {seed}", file=sys.stderr)
            _FAILED.parent.mkdir(exist_ok=True)
            with _FAILED.open("a") as failed:
                failed.write(f"{name} {seed}\n")
            return False
    return True


def _failed(name: str) -> int:
    lines = _FAILED.read_text().splitlines() if _FAILED.exists() else []
    return len({line for line in lines if line.split()[0] == name})


def _done(name: str) -> int:
    path = _progress_of(name)
    return int(path.read_text()) if path.exists() else 0


def _keep(name: str, done: int) -> None:
    path = _progress_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(str(done))
    temporary.replace(path)


def _progress_of(name: str) -> Path:
    """A file for each law, so that two laws may be soaked at once."""
    return _PROGRESS / name


if __name__ == "__main__":
    sys.exit(main())
