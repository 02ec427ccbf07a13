"""Fail when something that ships has a licence we have not agreed to, GPL and AGPL first of all.

The list below is what may ship (docs/decisions/0002-dependencies.md says why); whatever is not on it,
or says nothing, is refused. Test and build tools do not ship and are not asked.
"""

import re
import sys
from importlib.metadata import Distribution

from shipped import third_party

MAY_SHIP = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0",
    "LGPL-3.0-only",  # psycopg alone: imported as it is, replaceable by the user, never copied into ours
}  # fmt: skip
SAID_AS = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""The looser words that older packages use, as SPDX identifiers."""


def main() -> int:
    """Print one line per shipped package; exit 1 when one of them may not ship."""
    refused = []
    for name, found in third_party().items():
        licence = licence_of(found)
        print(f"{name:24} {found.version:12} {licence}")
        if not may_ship(licence):
            refused.append(f"{name} {found.version}: {licence}")
    for line in refused:
        print(f"May not ship: {line}", file=sys.stderr)
    return 1 if refused else 0


def licence_of(found: Distribution) -> str:
    """Return the SPDX expression a distribution states, in its own words where there is none."""
    metadata = found.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License :: ")]
    words = [*(metadata.get_all("License") or []), *(line.rpartition(" :: ")[2] for line in classifiers)]
    known = [SAID_AS.get(word, word) for word in words if SAID_AS.get(word, word) in MAY_SHIP]
    return known[0] if known else " / ".join(word for word in words if word) or "says nothing"


def may_ship(licence: str) -> bool:
    """Tell whether every licence named in an SPDX expression is on the list."""
    named = [word for word in re.split(r"[\s()]+", licence) if word and word not in ("AND", "OR")]
    return bool(named) and all(word in MAY_SHIP for word in named)


if __name__ == "__main__":
    sys.exit(main())
