"""Who gets a rack ticket (挂牌票): a cylinder that is refused for its own sake, and a full one that must not leave.

What is wrong with station, scale, people or data hangs nothing on a cylinder, nor does a code to be wiped.
"""

from typing import Any

from cylinder_codes.stamps import StampReading
from cylinder_trace.decision import Decision, FillRequest, Refusal
from cylinder_trace.fill_acts import POSTFILL
from cylinder_trace.reasons import REASONS, NextAct, next_act
from cylinder_trace.vocabulary.filling import CheckItem
from station_agent import words
from station_agent.lane import Lane, Reweigh
from station_agent.late import Late
from station_agent.lists import not_in_order
from station_agent.recorder import Recorder, Tell
from station_agent.ticket import Ticket, rack_for
from station_agent.ticket_printer import TicketPrinter


class Tickets:
    """Makes tickets, shows them on their lane and prints them where there is a printer."""

    def __init__(self, recorder: Recorder, late: Late, tell: Tell, printer: TicketPrinter | None) -> None:
        self._recorder = recorder
        self._late = late
        self._tell = tell
        self._printer = printer

    def refuse(self, lane: Lane, request: FillRequest, decision: Decision) -> None:
        """A ticket for a refused cylinder, if it goes to a rack."""
        found = next(((refusal, rack) for refusal in decision.reasons if (rack := rack_for(_next_act(refusal)))), None)
        if found is None:
            return
        refusal, rack = found
        told = words.all_told(decision)[: len(decision.reasons)]
        step = words.told(refusal)
        self._hang(
            lane,
            Ticket(
                verdict=words.NOT_TO_BE_FILLED,
                outcome="DENY",
                code=request.code,
                lane=lane.number,
                check_id=request.check_id,
                at=decision.decided_at,
                rack=rack,
                next_act="retag" if refusal.detail.get("why") == "damaged" else _next_act(refusal),
                codes=decision.codes,
                found=tuple((one.zh, one.en) for one in told),
                next_step=(step.next_zh, step.next_en),
                serial=_serial(lane, request.stamp_seen),
            ),
        )

    def hold(self, lane: Lane, items: tuple[CheckItem, ...], reweigh: Reweigh) -> None:
        """A ticket for a full cylinder that must not leave."""
        wrong = not_in_order(items)
        drain = not reweigh.within_limit
        self._hang(
            lane,
            Ticket(
                verdict=words.NOT_TO_LEAVE,
                outcome="HOLD",
                code=lane.view.code,
                lane=lane.number,
                check_id=reweigh.check_id,
                at=self._recorder.clock.now(),
                rack="white" if drain else "blue",
                next_act="drain" if drain else "investigate",
                codes=tuple(item.item for item in wrong),
                found=tuple(_fault(item) for item in wrong),
                next_step=words.OVER_LIMIT if drain else words.CHECK_FAILED,
                serial=_serial(lane, None),
            ),
        )

    def _hang(self, lane: Lane, ticket: Ticket) -> None:
        lane.view.ticket = ticket
        if self._printer is None:
            self._tell("ticket", lane, _fields(ticket, None))
        else:
            self._late.run(self._print(self._printer, lane, ticket))

    async def _print(self, printer: TicketPrinter, lane: Lane, ticket: Ticket) -> None:
        trouble = await printer.print(ticket)
        self._tell("ticket", lane, _fields(ticket, trouble is None))
        if trouble is not None:
            self._tell("not_printed", lane, {"detail": trouble, **words.fields(words.NOT_PRINTED)})


def _next_act(refusal: Refusal) -> NextAct:
    """What is done about it; one that only a newer service knows is looked into."""
    reason = REASONS.get(refusal.code)
    return next_act(reason, refusal.detail) if reason else "investigate"


def _serial(lane: Lane, seen: StampReading | None) -> str | None:
    cylinder = lane.view.cylinder
    return cylinder.stamp.serial if cylinder else seen.serial if seen else None


def _fault(item: CheckItem) -> words.Said:
    """A line of the list that is not in order: the item, and what was seen where a card said it."""
    line = POSTFILL[item.item]
    seen = [words.FAULTS_AFTER[word] for word in (item.remark or "").split() if word in words.FAULTS_AFTER]
    zh, en = "、".join(said[0] for said in seen), ", ".join(said[1] for said in seen)
    return (zh, en) if seen else (f"不符合: {line.zh}", f"not in order: {line.en}")


def _fields(ticket: Ticket, printed: bool | None) -> dict[str, Any]:
    """The ticket as it is told; `printed` is None where there is no printer."""
    return {
        "check_id": ticket.check_id,
        "code": ticket.code,
        "rack": ticket.rack,
        "lines": ticket.lines(),
        "said": ticket.said,
        "printed": printed,
    }
