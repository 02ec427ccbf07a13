"""A finding: what was looked at, what was found, and what to do next."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "look", "wrong"]
"""``look``: it works, and somebody should know; ``wrong``: mend it, the exit code says so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    level: Level
    found: str
    mend: str = ""
    """What to do next; empty when it is good."""

    @property
    def ok(self) -> bool:
        """Whether it may stay as it is."""
        return self.level != "wrong"

    def as_json(self) -> dict[str, str | bool]:
        """For ``--json``."""
        return {"what": self.what, "ok": self.ok, "level": self.level, "found": self.found, "mend": self.mend}

    def as_line(self) -> str:
        """For people."""
        word = {"good": "good ", "look": "LOOK ", "wrong": "WRONG"}[self.level]
        return f"{word}  {self.what}: {self.found}" + (f"\n         → {self.mend}" if self.mend else "")


def good(what: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(what, "good", found)


def look(what: str, found: str, mend: str) -> Finding:
    """It works, and somebody should know."""
    return Finding(what, "look", found, mend)


def wrong(what: str, found: str, mend: str) -> Finding:
    """To be mended."""
    return Finding(what, "wrong", found, mend)
