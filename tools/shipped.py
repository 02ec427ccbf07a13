"""What ships: our four distributions with all their extras, and everything these need on this platform."""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
OURS = {
    "cylinder-codes": "codes",
    "cylinder-trace": "trace",
    "cylinder-api": "api",
    "station-agent": "filling_station_agent",
}
"""Distribution → its folder in the workspace."""
EVERYTHING = ("cylinder-codes[labels,import]", "cylinder-trace[store]", "cylinder-api", "station-agent")


def closure(wanted: Sequence[str] = EVERYTHING) -> dict[str, Distribution]:
    """Return the installed distributions that these requirements need, ours among them, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(text) for text in wanted]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) not in seen:
            seen.add((name, extras))
            found[name] = distribution(name)
            waiting.extend(_needs(found[name], extras))
    return dict(sorted(found.items()))


def third_party(wanted: Sequence[str] = EVERYTHING) -> dict[str, Distribution]:
    """Return the same without our own four."""
    return {name: found for name, found in closure(wanted).items() if name not in OURS}


def locked(names: Sequence[str]) -> str:
    """Return the part of requirements.lock, hashes included, that pins just these names.

    Raises KeyError when the lock does not pin one of them.
    """
    blocks = re.split(r"\n(?=\S)", LOCK.read_text().strip())
    pinned = {str(canonicalize_name(re.split(r"[=\[ ]", block, maxsplit=1)[0])): block for block in blocks}
    return "\n".join(pinned[name] for name in names) + "\n"


def _needs(found: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in found.requires or []:
        requirement = Requirement(text)
        contexts = [{"extra": extra} for extra in extras or {""}]
        if requirement.marker is None or any(requirement.marker.evaluate(context) for context in contexts):
            yield requirement
