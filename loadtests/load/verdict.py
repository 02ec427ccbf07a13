"""What a run came to: the figures of its level held against what was wanted, and whether the ledger holds all of it."""

from dataclasses import dataclass
from pathlib import Path

from load.levels import Level
from load.locust_run import Run
from load.machine_use import SERVICE, Use
from load.reckoning import Reckoning

_NEARLY = 0.95
"""So much of the wanted rate counts as having had it: the users begin and end within the run."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing that was wanted of a run."""

    what: str
    wanted: str
    had: str
    met: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run, the machine meanwhile, and the ledger afterwards."""

    level: Level
    run: Run
    use: Use
    reckoning: Reckoning
    audit_ok: bool
    audit_story: str
    folder: Path

    @property
    def ok(self) -> bool:
        """Whether every request succeeded and the ledger holds what was told, exactly once; speed is not asked here."""
        return self.run.failed == 0 and self.reckoning.fits(unanswered=self.run.failed) and self.audit_ok

    @property
    def events_per_s(self) -> float:
        """Entries that the ledger gained in a second of the run."""
        return self.reckoning.recorded / self.use.seconds

    def goals(self) -> list[Goal]:
        """What the level wants, and what it had."""
        level, rate = self.level, self.events_per_s
        goals = [Goal("events a second", f"{level.events:.0f}", f"{rate:.0f}", rate >= _NEARLY * level.events)]
        checks = self.run.kind("fill check 准充")
        if level.most_check_p99_ms is not None and checks is not None:
            most, had = level.most_check_p99_ms, checks.p99_ms
            goals.append(Goal("p99 of fill checks", f"≤ {most:.0f} ms", f"{had:.0f} ms", had <= most))
        if level.most_cpu is not None:
            had = self.use.parts.get(SERVICE, 0.0)
            goals.append(
                Goal("service's part of the machine", f"≤ {level.most_cpu:.0%}", f"{had:.0%}", had <= level.most_cpu)
            )
        failed = self.run.failed
        return [*goals, Goal("failed requests", "0", str(failed), failed == 0)]
