"""`make soak`: the same laws as in the tests, in large numbers, for as long as you like; it goes on where it stopped.

Each law is a function of a seed.  Progress lies in .soak/progress.json; a failing seed is printed and can be run alone
with ``--law NAME --seed N``, which replays it exactly.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from laws import admission, crash, reading, tamper

LAWS: dict[str, Callable[[int, Path], None]] = {
    "crash": crash.check,
    "tamper": tamper.check,
    "reading": reading.check,
    "admission": admission.check,
}
_PROGRESS = Path(".soak/progress.json")
_FIRST_SEED = 1_000


def main() -> int:
    """Run seeds until the time is over; exit 0 if every law held, 1 if one did not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="how long to go on (default 60)")
    parser.add_argument("--law", choices=LAWS, help="this law only")
    parser.add_argument("--seed", type=int, help="this seed only, once")
    arguments = parser.parse_args()
    laws = {name: law for name, law in LAWS.items() if arguments.law in (None, name)}
    if arguments.seed is not None:
        held = [_holds(name, law, arguments.seed) for name, law in laws.items()]
        return 0 if all(held) else 1
    return _soak(laws, time.monotonic() + arguments.minutes * 60)


def _soak(laws: dict[str, Callable[[int, Path], None]], deadline: float) -> int:
    progress: dict[str, int] = json.loads(_PROGRESS.read_text()) if _PROGRESS.exists() else {}
    good = True
    while time.monotonic() < deadline:
        for name, law in laws.items():
            seed = progress.get(name, _FIRST_SEED)
            good = _holds(name, law, seed) and good
            progress[name] = seed + 1
        _keep(progress)
        told = ", ".join(f"{name} {seed - _FIRST_SEED}" for name, seed in progress.items())
        print(f"seeds done since the beginning: {told}", flush=True)
    return 0 if good else 1


def _holds(name: str, law: Callable[[int, Path], None], seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="pinglian-soak-") as folder:
        try:
            law(seed, Path(folder))
        except AssertionError as error:
            print(f"✘ law {name}, seed {seed}: {error}\n  replay: --law {name} --seed {seed}", file=sys.stderr)
            return False
    return True


def _keep(progress: dict[str, int]) -> None:
    _PROGRESS.parent.mkdir(exist_ok=True)
    temporary = _PROGRESS.with_suffix(".new")
    temporary.write_text(json.dumps(progress))
    temporary.replace(_PROGRESS)


if __name__ == "__main__":
    sys.exit(main())
