"""The main states of the screen as boards, and their pictures in `screens/*.txt`.

A picture is the text of the screen and, below it, one line for each row in which a style other than the plain one
begins: its row and the names of the styles from left to right.  After a wanted change of the screen, draw them again,
look at every difference, and commit them: `python tests/station_agent/screen_pictures.py`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from station_agent import words
from station_agent.lane import HandOver, Shift
from station_agent.link import LINK_SAID, Link
from station_agent.screen import verdicts
from station_agent.screen.blocks import Block, as_text
from station_agent.screen.board import Board, Counts, LaneFacts, Steel, Tile
from station_agent.screen.desk import Desk
from station_agent.screen.pages import draw
from station_agent.ticket import Ticket
from station_agent.words import Said

FOLDER = Path(__file__).parent / "screens"
AT = 1_795_334_400_000
STEEL = Steel("A22050001", "演示钢瓶厂", "YSP35.5", 16_500, "2030-05")
OVERDUE_STEEL = STEEL._replace(serial="A22050002", due="2026-02")
COUNTS = Counts(fills=12, net_g=174_000, refusals=2, faults=0, checks=11, to_drain=0, alarms=0)

# fmt: off
SCAN: Said = ("扫气瓶上的二维码。", "Scan the code on the cylinder.")
WAIT: Said = ("充到目标自动关阀,请勿移动气瓶。", "The valve shuts at the target; do not move the cylinder.")
OVERDUE: Said = ("检验已于 2026-02 到期", "Inspection was due in 2026-02")
YELLOW: Said = ("挂黄牌,送检验机构。", "Hang the yellow tag and send it to the inspection body.")
ALARM: Said = ("3 号秤在没有准充时增重 850 克,请看秤。", "Scale 3 gained 850 g without a permit; have a look at it.")
# fmt: on

IDLE = LaneFacts(1, verdicts.SCAN, next_step=SCAN, worker_id="fw_01", checker_id="fw_02", counts=COUNTS)
FILLING = replace(
    IDLE,
    verdict=verdicts.FILLING,
    code="0000000000000001AYV4SNEV08",
    steel=STEEL,
    next_step=WAIT,
    gross_g=23_450,
    empty_gross_g=16_600,
    stop_at_gross_g=31_000,
    cap_gross_g=31_400,
)
FILLED = replace(FILLING, verdict=verdicts.FILLED, gross_g=31_000, net_g=14_500, next_step=SCAN)
TICKET = Ticket(
    verdict=words.NOT_TO_BE_FILLED,
    outcome="DENY",
    code="0000000000000002Q1HCXX3H62",
    lane=1,
    check_id="chk_0000000000000000000000000a",
    at=AT,
    rack="yellow",
    next_act="inspect",
    codes=("R20",),
    found=(OVERDUE,),
    next_step=YELLOW,
    serial="A22050002",
)
REFUSED = replace(
    IDLE,
    verdict=verdicts.REFUSED,
    code="0000000000000002Q1HCXX3H62",
    steel=OVERDUE_STEEL,
    says=OVERDUE,
    next_step=YELLOW,
    gross_g=16_600,
    first_code="R20",
    ticket=TICKET,
)
STOPPED = replace(IDLE, verdict=verdicts.STOPPED, says=words.SCALE_FAULT, next_step=None)
LEFT_OPEN = replace(STOPPED, says=words.LEFT_OPEN, code="0000000000000001AYV4SNEV08")
CHECKED = replace(FILLED, kind="check", worker_id=None, verdict=verdicts.PASSED, says=words.CHECKED, next_step=None)
TOO_FULL = replace(CHECKED, verdict=verdicts.DRAIN, says=words.OVER_LIMIT, gross_g=31_700, net_g=15_200)
HAND_OVER = HandOver(
    lane=1, at=AT, worker_id="fw_01", checker_id="fw_02", shift=Shift(since=AT), unsent=3, disputed=0, open_fills=0,
    not_reweighed=("cyl_1",), lot_id=None, stock_g=None,
)  # fmt: skip


def station(*lanes: LaneFacts, active: int = 1) -> Board:
    """A board of these lanes, numbered from 1."""
    numbered = tuple(replace(lane, number=number) for number, lane in enumerate(lanes, 1))
    last = (Tile(1, True, "14.50"), Tile(2 if len(lanes) > 1 else 1, False, "R20"), Tile(1, True, "14.48"))
    return Board("st_01", "16:07", numbered, active, data_minutes=2, data_limit_hours=72, last=last)


ONE = station(FILLING)
MANY = station(FILLING, REFUSED, IDLE, FILLED, IDLE, STOPPED, FILLING, TOO_FULL, active=2)
OFFLINE = replace(station(FILLED), online=False, unsent=12, disputed=1, link=LINK_SAID[Link.UNREACHABLE])


@dataclass(frozen=True)
class Picture:
    """A board, what somebody chose, and the size of the window."""

    board: Board
    desk: Desk = field(default_factory=Desk)
    width: int = 80
    height: int = 24
    echo: str = ""

    def drawn(self) -> Block:
        """The rows."""
        return draw(self.board, self.desk, self.width, self.height, self.echo)


ENGLISH = Desk(language="en")
PICTURES: dict[str, Picture] = {
    "idle": Picture(station(replace(IDLE, worker_id=None, counts=None, noted=(words.FINDINGS["body_damaged"],)))),
    "idle_nobody_on": Picture(station(replace(IDLE, worker_id=None, checker_id=None, counts=None)), width=100),
    "typing": Picture(station(IDLE), echo="0000000000000001AY"),
    "filling": Picture(ONE),
    "filling_in_english": Picture(ONE, ENGLISH),
    "filling_large": Picture(ONE, width=160, height=45),
    "filled": Picture(station(FILLED)),
    "refused": Picture(station(REFUSED)),
    "refused_in_english": Picture(station(REFUSED), ENGLISH, 110, 36),
    "stopped": Picture(station(STOPPED)),
    "left_open": Picture(station(LEFT_OPEN)),
    "left_open_narrow": Picture(station(LEFT_OPEN, IDLE)),
    "locked": Picture(station(replace(IDLE, verdict=verdicts.LOCKED, says=words.LOCKED, next_step=None))),
    "checked": Picture(station(CHECKED)),
    "too_full": Picture(station(TOO_FULL)),
    "offline": Picture(OFFLINE),
    "window_over": Picture(replace(OFFLINE, data_minutes=72 * 60 + 1)),
    "no_data": Picture(replace(station(IDLE), data_minutes=None, data_limit_hours=None, clock="unknown")),
    "after_restart": Picture(replace(OFFLINE, clock="unknown", unchecked_minutes=95)),
    "journal_closed": Picture(replace(OFFLINE, link=LINK_SAID[Link.JOURNAL_CLOSED], stopped=True)),
    "alarm": Picture(replace(station(FILLING), alarms=(ALARM, ALARM))),
    "two_lanes": Picture(station(FILLING, REFUSED), width=110, height=30),
    "two_lanes_narrow": Picture(station(FILLING, REFUSED)),
    "eight_lanes": Picture(MANY),
    "eight_lanes_large": Picture(MANY, width=160, height=45),
    "eight_lanes_another_grown": Picture(MANY, Desk(language="en", grown=4), 120, 36),
    "forty_columns": Picture(station(REFUSED), width=40, height=20),
    "too_small": Picture(station(FILLING, REFUSED), width=24, height=6),
    "help": Picture(ONE, Desk(page="help")),
    "help_in_english": Picture(ONE, Desk(page="help", language="en")),
    "which_lane": Picture(MANY, Desk(page="which", after="before")),
    "list_before": Picture(MANY, Desk(page="before", lane=3, marked=(9, 11), typed="1")),
    "list_after_in_english": Picture(MANY, Desk(page="after", lane=8, language="en", marked=(1,))),
    "hand_over": Picture(replace(OFFLINE, handovers=(HAND_OVER,)), Desk(page="handover", lane=1)),
    "sign_on": Picture(MANY, Desk(page="sign_on", lane=3, role="checker", worker_id="fw_02", typed="1234")),
    "sign_on_as_what": Picture(MANY, Desk(page="sign_on", lane=3, language="en")),
    "stopping": Picture(replace(ONE, leaving=True)),
    "ticket": Picture(station(REFUSED), Desk(page="ticket", lane=1), 100, 30),
    "ticket_narrow": Picture(station(REFUSED), Desk(page="ticket", lane=1)),
    "no_ticket": Picture(ONE, Desk(page="ticket", lane=1, language="en")),
}


def as_picture(block: Block) -> str:
    """The text of the rows, and the styles that they go through."""
    styles = []
    for number, row in enumerate(block, 1):
        names = [name for _, name in row]
        changes = [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]
        if any(changes):
            styles.append(f"{number:>3} {' | '.join(name or 'plain' for name in changes)}\n")
    return as_text(block) + "\n" + "".join(styles)


def main() -> None:
    """Draw every picture again."""
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.txt"):
        file.unlink()
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.txt").write_text(as_picture(picture.drawn()), encoding="utf-8")


if __name__ == "__main__":
    main()
