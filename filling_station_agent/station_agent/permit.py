"""Permits (准充令): the only thing that opens a valve, good once, for one cylinder on one scale in one run.

`Permits` issues a permit for a decision that allows the fill, and takes it back exactly once.  A permit of an earlier
run of the agent, for another scale or cylinder, too old, used or withdrawn, opens nothing.
"""

from collections import deque
from dataclasses import dataclass

from cylinder_trace.decision import Decision, FillRequest

_REMEMBERED = 1_000
"""So many of the last decisions are known to have had their permit: an agent runs for months."""


class PermitRefused(Exception):
    """The permit does not open this valve now. The text says why."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to fill one cylinder once. `start_before` is on the steady clock of the run that issued it."""

    check_id: str
    cylinder_id: str
    scale_id: str
    boot_id: str
    start_before: int
    stop_at_gross_g: int


class Permits:
    """The permits of one run of the agent."""

    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id
        self._live: dict[str, Permit] = {}
        self._issued: deque[str] = deque(maxlen=_REMEMBERED)

    def issue(self, request: FillRequest, decision: Decision, tare_g: int, now: int) -> Permit:
        """A permit for a decision that allows the fill; `now` is on the steady clock.

        The scale is to stop at the lower of stamped tare and weighed empty cylinder, plus the target fill: residue
        counts as gas, and a cylinder lighter than its stamp never gets more than the target.
        Raises PermitRefused for a decision that allows nothing, for another run, or a second time.
        """
        if not decision.permits or decision.target_net_g is None or decision.cylinder_id is None:
            raise PermitRefused("the decision allows no fill")
        if request.boot_id != self._boot_id:
            raise PermitRefused("the scan belongs to another run of the agent")
        if decision.check_id != request.check_id or request.check_id in self._issued:
            raise PermitRefused("a decision gives one permit, for its own scan")
        permit = Permit(
            check_id=request.check_id,
            cylinder_id=decision.cylinder_id,
            scale_id=request.scale_id,
            boot_id=self._boot_id,
            start_before=now + max(0, (decision.start_before or 0) - decision.decided_at),
            stop_at_gross_g=min(tare_g, request.empty_gross_g) + decision.target_net_g,
        )
        self._issued.append(permit.check_id)
        self._live = {id: live for id, live in self._live.items() if now < live.start_before}  # not all are used
        self._live[permit.check_id] = permit
        return permit

    def consume(self, permit: Permit, *, cylinder_id: str, scale_id: str, now: int) -> None:
        """Use up `permit` for this cylinder on this scale; raises PermitRefused, and then nothing may open."""
        if self._live.get(permit.check_id) != permit:
            raise PermitRefused("the permit was used, withdrawn, or given out by another run")
        if (permit.cylinder_id, permit.scale_id) != (cylinder_id, scale_id):
            raise PermitRefused("the permit is for another cylinder or another scale")
        del self._live[permit.check_id]
        if now >= permit.start_before:
            raise PermitRefused("the time to start has run out; scan again")

    def withdraw(self, check_id: str) -> None:
        """Make the permit of this decision worthless if it has not been used."""
        self._live.pop(check_id, None)
