"""`python loadtests/load`: put load on a service, then audit what it recorded, see ``--help``."""

import sys
from pathlib import Path

# Python puts this directory itself on the path; what is imported is the package `load` in it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from load.command import main

if __name__ == "__main__":
    sys.exit(main())
