"""`python loadtests/benchmarks`: measure the rows of the table, see ``--help``."""

import sys
from pathlib import Path

# Python puts this directory itself on the path; what is imported is the package `benchmarks` in it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# The PostgreSQL that the tests start is also the one that is measured.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
