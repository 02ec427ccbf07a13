"""Schemathesis over the service for as long as one likes: `make fuzz-api` (SECONDS=60)."""

import argparse
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "api")]

from api_fuzz import Fuzz  # noqa: E402
from api_house import House  # noqa: E402

EXAMPLES = 5


def main() -> int:
    """Draw anew with another seed until the time is over; prints counts, and what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    until = time.monotonic() + parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, House(Path(folder)) as house:
        for seed in count():
            fuzz = Fuzz(house, seed)
            fuzz.try_good_ones()
            fuzz.try_drawn_ones(EXAMPLES)
            print(f"{fuzz.tally.table()}\nseed {seed}: {fuzz.tally.calls} calls, {len(fuzz.tally.failures)} failures")
            if fuzz.tally.failures or time.monotonic() > until:
                print("\n\n".join(fuzz.tally.failures))
                return 1 if fuzz.tally.failures else 0
    raise AssertionError("never reached")


if __name__ == "__main__":
    sys.exit(main())
