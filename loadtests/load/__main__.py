"""`python loadtests/load`: put load on a service, then audit what it recorded, see ``--help``."""

import sys
from pathlib import Path

# Python puts this directory itself on the path; what is imported is the package `load` in it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# The PostgreSQL and the Redis that the tests start are also those that load is put on.
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from load.command import main

if __name__ == "__main__":
    sys.exit(main())
