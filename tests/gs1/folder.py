"""Where GS1's own schemas and examples lie: a folder outside the project, named by an environment variable."""

from pathlib import Path

import pytest

NEEDED = ("epcis/EPCIS-JSON-Schema.json", "epcis/examples", "epcis/rest", "linkset/gs1-linkset-schema.json")


def conformance_folder(named: str | None) -> Path:
    """The folder that the variable names; skips the test where none is named, fails it where the folder is not whole.

    So no test of conformance can be skipped where somebody said that the data are there.
    """
    if not named:
        pytest.skip("GS1's schemas and examples are missing: PINGLIAN_CONFORMANCE_DATA names the folder they lie in")
    missing = [name for name in NEEDED if not (Path(named) / name).exists()]
    if missing:
        pytest.fail(f"PINGLIAN_CONFORMANCE_DATA names {named}, where {', '.join(missing)} is missing")
    return Path(named)
