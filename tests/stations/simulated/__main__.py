"""One seed by hand: ``python tests/stations/simulated SEED [stations] [days] [fills]``."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from stations.simulated.simulation import simulate


def main() -> None:
    seed, *sizes = map(int, sys.argv[1:])
    names = ("stations", "days", "fills")
    begun = time.monotonic()
    report = simulate(seed, **dict(zip(names, sizes, strict=False)))
    print(report, f"{time.monotonic() - begun:.2f} s")


if __name__ == "__main__":
    main()
