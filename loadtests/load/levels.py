"""How much load (负荷档次): how many of each kind of user, and how often each does what it does.

The figures are those of a nation of 150 million cylinders, each filled five times a year, ten events to a fill: on
average 24 fills and 240 events a second, at its peak 205 and 2,050; and 5,500 events a second when every fifth station
comes back from an outage at once.  A big province has 15.6 million cylinders and 843 stations; in the eight hours
of a working day without a network (2.4 times the average) each of them writes some 2,000 entries.
"""

from dataclasses import dataclass, replace

from brief import Users

_LANE_A_S = 0.5
"""1,800 cylinders an hour: as fast as a lane of a large hall gets."""
_WORKER_A_S = 0.5
_PERSON_A_S = 0.5
_RACKS_A_S = 0.05
_AT_ONCE = 1_000.0
"""As fast as it is answered."""
QUEUE_AT_ONCE = 500
"""Records of one upload in bulk."""


@dataclass(frozen=True, slots=True)
class Level:
    """What one run does to the service; all figures are of a second."""

    does: str
    fills: float
    """Cylinders that arrive at all lanes together."""
    deliveries: float
    queued: float
    """Records of stations that come back, in bulk."""
    public: float
    regulators: float
    racks: float
    events: float
    """Entries that the ledger should gain."""
    most_check_p99_ms: float | None = None
    """How long the slowest hundredth of the fill checks may take."""
    most_cpu: float | None = None
    """The part of the machine that the processes of the service may take."""
    returning: int = 0
    """So many stations come back one by one instead, each at a moment of its own, and send all they have at once."""

    def times(self, factor: float) -> "Level":
        """So much of this load."""
        rates = ("fills", "deliveries", "queued", "public", "regulators", "racks", "events")
        returning = -(-self.returning * factor // 1)
        return replace(self, **{name: getattr(self, name) * factor for name in rates}, returning=int(returning))

    @property
    def queue_users(self) -> int:
        """How many stations come back."""
        return self.returning or -(-round(self.queued) // QUEUE_AT_ONCE)

    def users(self) -> dict[str, Users]:
        """Kind of user → how many, and how often a second each does its task."""
        wanted = {
            "StationDay": (self.fills, _LANE_A_S),
            "DeliveryRound": (self.deliveries, _WORKER_A_S),
            "PublicScan": (self.public, _PERSON_A_S),
            "Regulator": (self.regulators, _PERSON_A_S),
            "InspectorRack": (self.racks, _RACKS_A_S),
        }
        users = {kind: _users(per_s, each) for kind, (per_s, each) in wanted.items() if per_s}
        if self.queue_users:
            each = _AT_ONCE if self.returning else self.queued / QUEUE_AT_ONCE / self.queue_users
            users["BackAfterOutage"] = Users(self.queue_users, each)
        return users


def _users(per_s: float, each: float) -> Users:
    count = max(1, round(per_s / each))
    return Users(count, per_s / count)


_COMEBACK = "all stations of a big province come back within ten minutes, a tenth of them within this one"
LEVELS: dict[str, Level] = {
    "day": Level("a working day: a little of everything", 20, 16, 200, 4, 2, 0.2, 350),
    "average": Level("the nation's average", 30, 30, 0, 10, 2, 0.1, 240, 100, 0.35),
    "peak": Level("the nation's peak", 205, 205, 410, 20, 4, 0.2, 2_050, 100),
    "storm": Level("every fifth station comes back at once", 30, 30, 5_260, 10, 2, 0.1, 5_500),
    "comeback": Level(_COMEBACK, 21, 21, 2_845, 10, 2, 0.1, 3_000, returning=84),
}
