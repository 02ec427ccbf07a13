"""After the fill (充装后): the full cylinder is weighed again (复秤) and looked at, Q1 to Q6, by a second person.

    scan → the code is read and the cylinder weighed → the last fill of it here is found
         → the weight is on record (`reweighed`) → over its limit, or a fault was shown: red, must not leave
         → the numbers of seal and label are known: the list is on record (`postfill_checked`), it may leave

No valve is opened on this path: there is no permit on it.  A cylinder that was drained, mended or sealed is scanned
again and gets a further record; a weight that was recorded a moment ago and has not changed stands.
"""

from dataclasses import asdict

from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.reading import ReadFailure, read_scan
from cylinder_trace.admission import max_net_g
from cylinder_trace.cylinder import CylinderState
from cylinder_trace.events import FillDecided, PostfillChecked, Reweighed
from cylinder_trace.vocabulary.filling import CheckItem
from station_agent import words
from station_agent.deciding import Deciding
from station_agent.filling import NO_GAS_G, REST_WITHIN_MS, rest
from station_agent.lane import Lane, LaneState, LaneView, Reweigh, Stated
from station_agent.lists import ITEM_OF_FAULT, not_in_order, postfill_items
from station_agent.own_fills import OwnFill, Weighing
from station_agent.recorder import Recorder, Tell
from station_agent.tickets import Tickets


class TurnedAway(Exception):
    """The cylinder is not looked at here and now; `said` is why, in both languages."""

    def __init__(self, said: words.Said) -> None:
        super().__init__(said[1])
        self.said = said


class Checking:
    """The path of a scan that is about a full cylinder."""

    def __init__(self, deciding: Deciding, recorder: Recorder, tickets: Tickets, tell: Tell, forms: ScanForms) -> None:
        self._deciding = deciding
        self._recorder = recorder
        self._tickets = tickets
        self._tell = tell
        self._forms = forms

    async def check(self, lane: Lane, raw_scan: str) -> None:
        """Weigh again and go through Q1 to Q6. Raises ScaleFault, JournalBroken."""
        read = read_scan(raw_scan, self._forms.hosts, self._forms.legacy_forms)
        code = None if isinstance(read, ReadFailure) else read.text
        lane.view = LaneView(code=code)
        self._tell("scanned", lane, {"check_id": None, "code": code, "raw_scan": raw_scan})
        reading = await rest(lane.scale, self._recorder.clock.steady, REST_WITHIN_MS)
        lane.view.gross_g = reading.gross_g
        faults, stated = _seen(lane), lane.take_stated()
        lane.move(LaneState.DECIDING)
        try:
            cylinder, fill = self._fill_of(lane, code)
        except TurnedAway as away:
            await self._turn_away(lane, away.said, raw_scan)
            return
        reweigh = await self._weighed(lane, cylinder, fill, stated)
        await self._conclude(lane, fill, reweigh, faults)

    def _fill_of(self, lane: Lane, code: str | None) -> tuple[CylinderState, OwnFill]:
        """The cylinder and its last fill here; raises TurnedAway."""
        if code is None:
            raise TurnedAway(words.NOT_READ_AFTER)
        lane.view.cylinder = cylinder = self._deciding.cylinder(code)
        fill = self._recorder.fills.last_of(cylinder.cylinder_id) if cylinder else None
        if cylinder is None or fill is None:
            raise TurnedAway(words.NO_FILL_HERE)
        if lane.checker_id is None:
            raise TurnedAway(words.NO_CHECKER)
        if lane.checker_id == fill.worker_id:
            raise TurnedAway(words.SECOND_PERSON)
        if not self._deciding.is_certified(lane.checker_id):
            raise TurnedAway(words.NOT_CERTIFIED)
        return cylinder, fill

    async def _turn_away(self, lane: Lane, said: words.Said, raw_scan: str) -> None:
        await self._recorder.note(lane, "not_checked", {"raw_scan": raw_scan, "code": lane.view.code, "why": said[1]})
        lane.view.message = said
        lane.move(LaneState.REFUSED)
        self._tell("not_checked", lane, {"code": lane.view.code, **words.fields(said)})

    async def _weighed(self, lane: Lane, cylinder: CylinderState, fill: OwnFill, stated: Stated) -> Reweigh:
        """Q1: the second weight, on record."""
        gross_g = max(0, lane.view.gross_g or 0)
        net_g = max(0, gross_g - cylinder.stamp.tare_g)
        limit_g = self._limit(cylinder, fill)
        numbers = {"seal_no": stated.seal_no, "label_no": stated.label_no}
        reweigh = Reweigh(fill.check_id, net_g, limit_g, fill.worker_id, **numbers)
        lane.view.reweigh, lane.view.net_g = reweigh, net_g
        if not _stands(fill.last, lane, gross_g):
            await self._record_weight(lane, fill, reweigh, gross_g)
        return reweigh

    async def _record_weight(self, lane: Lane, fill: OwnFill, reweigh: Reweigh, gross_g: int) -> None:
        event = Reweighed(
            check_id=reweigh.check_id,
            station_id=self._recorder.station_id,
            scale_id=lane.scale_id,
            worker_id=lane.checker_id or "",
            full_gross_g=gross_g,
            net_g=reweigh.net_g,
            within_limit=reweigh.within_limit,
        )
        await self._append(lane, fill, _numbered(f"{reweigh.check_id}.reweighed", fill.weighed), event)
        if lane.shift is not None:
            lane.shift.to_drain += not reweigh.within_limit
        self._tell("reweighed", lane, {"within_limit": reweigh.within_limit, **asdict(reweigh)})

    def _limit(self, cylinder: CylinderState, fill: OwnFill) -> int:
        """The most that it may hold: what the permit said."""
        decided = self._recorder.journal.find(fill.check_id)
        event = decided.event() if decided else None
        permitted = event.decision.max_net_g if isinstance(event, FillDecided) else None
        return max_net_g(cylinder, self._deciding.book()) if permitted is None else permitted

    async def _conclude(self, lane: Lane, fill: OwnFill, reweigh: Reweigh, faults: tuple[str, ...]) -> None:
        """Q1 to Q6 on record, and what follows for the cylinder."""
        items = postfill_items(faults, within_limit=reweigh.within_limit)
        lane.view.list_items = items
        passed = not not_in_order(items)
        if passed and not (reweigh.seal_no and reweigh.label_no):
            lane.view.message = words.NUMBERS_MISSING
            lane.move(LaneState.REFUSED)
            self._tell("numbers_missing", lane, {"code": lane.view.code, **words.fields(words.NUMBERS_MISSING)})
            return
        await self._record_list(lane, fill, reweigh, items, passed)
        lane.view.message = _said(reweigh, passed)
        lane.move(LaneState.CHECKED if passed else LaneState.REFUSED)
        told = {"items": [item.item for item in not_in_order(items)], **words.fields(lane.view.message)}
        self._tell("postfill_checked", lane, {"passed": passed, **asdict(reweigh), **told})
        if not passed:
            self._tickets.hold(lane, items, reweigh)

    async def _record_list(
        self, lane: Lane, fill: OwnFill, reweigh: Reweigh, items: tuple[CheckItem, ...], passed: bool
    ) -> None:
        event = PostfillChecked(
            check_id=reweigh.check_id,
            station_id=self._recorder.station_id,
            worker_id=lane.checker_id or "",
            items=items,
            passed=passed,
            seal_no=reweigh.seal_no,
            label_no=reweigh.label_no,
        )
        await self._append(lane, fill, _numbered(f"{reweigh.check_id}.postfill", fill.checked), event)
        if lane.shift is not None:
            lane.shift.checks += 1

    async def _append(self, lane: Lane, fill: OwnFill, id: str, event: Reweighed | PostfillChecked) -> None:
        subject, filler = f"cylinder/{fill.cylinder_id}", fill.worker_id
        await self._recorder.append(id, subject, event, filler, checker_id=lane.checker_id)


def _seen(lane: Lane) -> tuple[str, ...]:
    """What the checker showed; the cards of before the fill say the same of a full cylinder."""
    before = tuple(finding for finding in lane.take_findings() if finding in ITEM_OF_FAULT)
    return (*lane.take_faults_after(), *before)


def _stands(last: Weighing | None, lane: Lane, gross_g: int) -> bool:
    """Whether the weight on record is this one: same scale, same person, nothing drawn off since."""
    if last is None or (last.scale_id, last.worker_id) != (lane.scale_id, lane.checker_id):
        return False
    return abs(last.full_gross_g - gross_g) < NO_GAS_G and last.within_limit


def _numbered(id: str, before: int) -> str:
    return f"{id}.{before + 1}" if before else id


def _said(reweigh: Reweigh, passed: bool) -> words.Said:
    if passed:
        return words.CHECKED
    return words.CHECK_FAILED if reweigh.within_limit else words.OVER_LIMIT
