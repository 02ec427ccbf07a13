"""Pages (页): what is opened with a key and takes keys: help, the list before the fill, hand-over, rack ticket. Pure.

Every page has the header, the band and the lanes' verdicts in one or two lines above it: nobody misses a red lane
because somebody looks at a list.
"""

from cylinder_trace.dates import format_minute
from station_agent import words
from station_agent.lane import HandOver
from station_agent.screen.blocks import (
    Block,
    Row,
    beside,
    block_width,
    fit,
    fit_row,
    inset,
    middle_row,
    paragraph,
    span,
)
from station_agent.screen.board import Board, LaneFacts, kilograms
from station_agent.screen.desk import Desk, exceptions
from station_agent.screen.drawing import LEAST_HEIGHT, LEAST_WIDTH, band, draw_lanes, header, pick, too_small
from station_agent.ticket import block_rows

_STRIP_WIDTH = 16
_TWO_COLUMNS = 64
_TICKET_WORDS = 34
_NAMES_WIDTH = 22

# fmt: off
_KEYS: tuple[tuple[str, str, str], ...] = (
    ("F1", "帮助", "help"),
    ("F2", "English", "中文"),
    ("F4", "充装前检查", "pre-fill list"),
    ("F5", "充装后检查", "check list after"),
    ("F6", "交班", "hand-over"),
    ("F7", "挂牌票", "rack ticket"),
    ("F9", "上岗", "sign on"),
    ("F3", "日间/夜间", "day/night"),
    ("F8", "声音", "sound"),
)
_HELP: tuple[tuple[str, str, str], ...] = (
    ("扫码 scan", "扫什么、在哪页都可以扫:气瓶、上岗卡、检查卡", "cylinder, badge or card, whatever page is open"),
    ("键盘 keys", "不用扫码枪时,键入气瓶码,按 Enter", "without a scanner: type the cylinder's code, then Enter"),
    ("F4  F5", "充装前、充装后检查:只按有问题的项号,Enter 确认",
     "lists before and after the fill: numbers of the exceptions only, Enter confirms"),
    ("F6  F9", "交班 · 不用工牌,凭工号和口令上岗", "hand over · sign on without a badge, by worker id and PIN"),
    ("F7", "上一只不予充装的挂牌票", "rack ticket of the last refusal"),
    ("← →  Esc", "放大别的工位 · 返回", "see another lane large · back"),
    ("F2 F3 F8", "中文/English · 日间/夜间 · 声音开关", "中文/English · day/night · sound on or off"),
    ("Ctrl+C", "停下本程序:阀门先关,记录写完", "stop this program: valves shut first, records written"),
)
# fmt: on


def draw(board: Board, desk: Desk, width: int, height: int, echo: str = "") -> Block:
    """The whole screen. `echo` is what somebody is typing as a code."""
    if desk.page == "lanes":
        return draw_lanes(board, desk.language, desk.grown, width, height, _keys_row(board, desk, echo))
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return too_small(board, desk.language, width, height)
    above = (header(board, desk.language, width), band(board, desk.language, width), *_strip(board, desk, width))
    room = height - len(above)
    page = _page(board, desk, width - 2, room - 1)
    foot = fit_row(span(_foot(desk), "head"), width, "head")
    return (*above, *fit(inset(page, width), width, room - 1), foot)


def _keys_row(board: Board, desk: Desk, echo: str) -> tuple[str, ...]:
    """The keys, the most wanted first, or what is being typed."""
    zh = desk.language == "zh"
    if echo:
        return (f"{'键入' if zh else 'typed'} {echo}_",)
    lane = board.lane(board.active if desk.grown is None else desk.grown)
    wanted = _wanted(lane)
    keys = sorted(_KEYS, key=lambda key: key[0] not in wanted)
    return tuple(f"{key} {in_zh if zh else in_en}" for key, in_zh, in_en in keys)


def _wanted(lane: LaneFacts) -> tuple[str, ...]:
    """Keys in front, whatever the width: to sign on where a place is free, the ticket where one is to be hung."""
    free = lane.checker_id is None or (lane.kind == "fill" and lane.worker_id is None)
    return "F1", "F2", *(["F9"] if free else []), *(["F7"] if lane.ticket else [])


def _foot(desk: Desk) -> str:
    zh = desk.language == "zh"
    if desk.page in ("before", "after"):
        said = ("数字选择 · Enter 确认 · Esc 不记录", "number: choose · Enter: confirm · Esc: record nothing")
    elif desk.page == "sign_on" and desk.role is None:
        said = ("按 1 或 2 · Esc 返回", "1 or 2 · Esc: back")
    elif desk.page == "sign_on":
        said = ("Enter 下一步 · Esc 返回", "Enter: next · Esc: back")
    elif desk.page == "handover":
        said = ("Enter 交接班 · Esc 返回", "Enter: hand over · Esc: back")
    elif desk.page == "which":
        said = ("按工位号 · Esc 返回", "number of the lane · Esc: back")
    else:
        said = ("Esc 返回", "Esc: back")
    return f" {said[0] if zh else said[1]}"


def _strip(board: Board, desk: Desk, width: int) -> Block:
    """Each lane's verdict in a word."""
    a_row = max(1, width // _STRIP_WIDTH)
    cells = [_strip_cell(lane, desk.language) for lane in board.lanes]
    rows = [cells[first : first + a_row] for first in range(0, len(cells), a_row)]
    return tuple(fit_row(tuple(piece for cell in row for piece in cell), width) for row in rows)


def _strip_cell(lane: LaneFacts, language: str) -> Row:
    verdict = lane.verdict
    word = verdict.zh if language == "zh" else verdict.en
    return (
        *fit_row(span(f" {lane.number} {verdict.sign} {word}", verdict.tone), _STRIP_WIDTH - 1, verdict.tone),
        (" ", ""),
    )


def _page(board: Board, desk: Desk, width: int, height: int) -> Block:
    zh = desk.language == "zh"
    match desk.page:
        case "which":
            numbers = "  ".join(str(lane.number) for lane in board.lanes)
            return (span(""), span("哪个工位?" if zh else "Which lane?", "strong"), span(""), span(numbers, "fact"))
        case "before" | "after":
            return _list(desk, width, height)
        case "handover":
            return _handover(board, desk, width)
        case "ticket":
            return _ticket(board, desk, width, height)
        case "sign_on":
            return _sign_on(desk, width)
    return _help(desk, width, height)


def _heading(zh_text: str, en_text: str, desk: Desk, width: int) -> Row:
    where = ""
    if desk.lane is not None:
        where = f"{desk.lane} 号工位 · " if desk.language == "zh" else f"Lane {desk.lane} · "
    return middle_row(span(where + (zh_text if desk.language == "zh" else en_text), "strong"), width)


def _help(desk: Desk, width: int, height: int) -> Block:
    rows: list[Row] = [_heading("帮助", "Help", desk, width), span("")]
    for key, zh, en in _HELP:
        said = paragraph(zh if desk.language == "zh" else en, width - 12, "")
        rows += beside(fit((span(key, "fact"),), 12, len(said)), said)
        if height > 2 * len(_HELP) + 4:
            rows.append(span(""))
    return tuple(rows)


def _list(desk: Desk, width: int, height: int) -> Block:
    """The list P1 to P17 or Q1 to Q6, exceptions only."""
    if desk.page == "before":
        title = _heading("充装前检查:哪些不符合?", "Before the fill: what is not in order?", desk, width)
    else:
        title = _heading("充装后检查:哪些不符合?", "After the fill: what is not in order?", desk, width)
    rows = [_exception(number, desk) for number in range(1, len(exceptions(desk.page)) + 1)]
    columns: Block = tuple(rows)
    if width >= _TWO_COLUMNS:
        half, each = -(-len(rows) // 2), width // 2
        columns = beside(fit(tuple(rows[:half]), each, half), fit(tuple(rows[half:]), width - each, half))
    chosen = " ".join(map(str, sorted(desk.marked))) or (
        "无:全部符合" if desk.language == "zh" else "none: all in order"
    )
    shown = f"{'已选' if desk.language == 'zh' else 'chosen'}  {chosen}  {desk.typed}{'_' if desk.typed else ''}"
    return (title, *fit(columns, width, min(len(columns), height - 3)), span(""), span(shown, "fact"))


def _exception(number: int, desk: Desk) -> Row:
    item, word = exceptions(desk.page)[number - 1]
    said = words.FAULTS_AFTER[word] if desk.page == "after" else _FINDINGS[word]
    is_marked = number in desk.marked
    text = f"{number:>3} {'✘' if is_marked else ' '} {pick(said, desk.language)} "
    return (*span(text, "marked" if is_marked else "fact"), (f" {item}", "dim"))


_FINDINGS: dict[str, words.Said] = {str(finding): said for finding, said in words.FINDINGS.items()}


def _handover(board: Board, desk: Desk, width: int) -> Block:
    """What the next shift must know: of the shift that runs, and what was handed over last."""
    lane = board.lane(desk.lane if desk.lane is not None else board.active)
    rows = [_heading("交班", "Hand-over", desk, width), span("")]
    rows += [_told(name, value, wrong, desk) for name, value, wrong in _of_the_shift(board, lane, desk)]
    page = next((page for page in board.handovers if page.lane == lane.number), None)
    if page is not None:
        rows.append(span(""))
        name = ("上次交班", "last hand-over"), format_minute(page.at), False
        rows += [_told(*one, desk) for one in (name, *_of_the_page(page))]
    rows.append(span(""))
    step = (
        "按 Enter 交接班,下一班刷上岗卡;待传记录存在本机,联网后自动上传。",
        "Enter hands over; the next shift reads a badge. Records that wait are kept and sent by themselves.",
    )
    rows += paragraph(f"→ {pick(step, desk.language)}", width, "strong")
    for alarm in board.alarms[:5]:
        rows += paragraph(f"▲ {pick(alarm, desk.language)}", width, "warn", 2)
    return tuple(rows)


def _sign_on(desk: Desk, width: int) -> Block:
    """Role, worker id, PIN; what is typed as a PIN is not shown."""
    zh = desk.language == "zh"
    title = _heading("上岗", "Sign on", desk, width)
    if desk.role is None:
        asked = "1 充装人   2 检查人" if zh else "1 filler   2 checker"
        return (title, span(""), span(asked, "fact"))
    role = {"filler": ("充装人", "filler"), "checker": ("检查人", "checker")}[desk.role]
    worker = desk.worker_id or f"{desk.typed}_"
    rows = [title, span(""), _told(role, worker, False, desk)]
    if desk.worker_id:
        rows.append(_told(("口令", "PIN"), "•" * len(desk.typed) + "_", False, desk))
    return tuple(rows)


Told = tuple[words.Said, str, bool]
"""What it is, what it is now, and whether somebody should look at it."""


def _told(name: words.Said, value: str, wrong: bool, desk: Desk) -> Row:
    return (*fit_row(span(pick(name, desk.language), "dim"), _NAMES_WIDTH), (value, "warn" if wrong else "fact"))


def _of_the_shift(board: Board, lane: LaneFacts, desk: Desk) -> tuple[Told, ...]:
    nobody = "未上岗" if desk.language == "zh" else "nobody"
    people: tuple[Told, ...] = (
        (("充装人", "filler"), lane.worker_id or nobody, False),
        (("检查人", "checker"), lane.checker_id or nobody, False),
    )
    waiting: tuple[Told, ...] = (
        (("待传记录", "records to send"), str(board.unsent), board.unsent > 0),
        (("争议", "disputed"), str(board.disputed), board.disputed > 0),
    )
    counts = lane.counts
    if counts is None:
        return (*people, *waiting)
    done = f"{counts.fills}  ({kilograms(counts.net_g)} kg)"
    return (
        *people,
        (("本班已充", "filled"), done, False),
        (("禁充 · 中断", "refused · faults"), f"{counts.refusals} · {counts.faults}", counts.faults > 0),
        (("复检 · 超装", "checked · too full"), f"{counts.checks} · {counts.to_drain}", counts.to_drain > 0),
        (("报警", "alarms"), str(counts.alarms), counts.alarms > 0),
        *waiting,
    )


def _of_the_page(page: HandOver) -> tuple[Told, ...]:
    missing = len(page.not_reweighed)
    return (
        (("未结束的充装", "fills without an end"), str(page.open_fills), page.open_fills > 0),
        (("未复秤", "not weighed again"), str(missing), missing > 0),
    )


def _ticket(board: Board, desk: Desk, width: int, height: int) -> Block:
    """The rack ticket of the last refusal at the lane, its symbol beside or below the words where there is room."""
    title = _heading("挂牌票", "Rack ticket", desk, width)
    ticket = board.lane(desk.lane if desk.lane is not None else board.active).ticket
    if ticket is None:
        nothing = "上一只没有挂牌票。" if desk.language == "zh" else "The last cylinder has no ticket."
        return (title, span(""), span(nothing))
    symbol: Block = tuple(span(row, "symbol") for row in block_rows(ticket.symbol().modules))
    beside_width = width - block_width(symbol) - 2
    has_room = beside_width >= _TICKET_WORDS and len(symbol) <= height - 1
    wide = beside_width if has_room else width
    words_of_it = tuple(row for line in ticket.lines() for row in paragraph(line, wide, "fact"))
    if not has_room:
        return (title, *words_of_it)
    return (title, *beside(fit(words_of_it, wide, max(len(words_of_it), len(symbol))), (span("  "),), symbol))
