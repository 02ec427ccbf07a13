"""Pages (页): what is opened with a key and takes keys: help, the list before the fill, hand-over, rack ticket. Pure.

Every page has the header, the band and the lanes' verdicts in one or two lines above it: nobody misses a red lane
because somebody looks at a list.
"""

from station_agent import words
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
from station_agent.screen.board import Board, LaneFacts
from station_agent.screen.desk import EXCEPTIONS, Desk
from station_agent.screen.drawing import LEAST_HEIGHT, LEAST_WIDTH, band, draw_lanes, header, pick, too_small
from station_agent.ticket import block_rows

_STRIP_WIDTH = 16
_TWO_COLUMNS = 64
_TICKET_WORDS = 34

# fmt: off
_KEYS: tuple[tuple[str, str, str], ...] = (
    ("F1", "帮助", "help"),
    ("F2", "English", "中文"),
    ("F3", "日间/夜间", "day/night"),
    ("F4", "充装前检查", "pre-fill list"),
    ("F6", "交班", "hand-over"),
    ("F7", "挂牌票", "rack ticket"),
    ("F8", "声音", "sound"),
)
_HELP: tuple[tuple[str, str, str], ...] = (
    ("扫码 scan", "扫什么、在哪页都可以扫:气瓶、上岗卡、检查卡", "cylinder, badge or card, whatever page is open"),
    ("键盘 keys", "不用扫码枪时,键入气瓶码,按 Enter", "without a scanner: type the cylinder's code, then Enter"),
    ("F4", "充装前检查:只按有问题的项号,Enter 确认", "pre-fill list: numbers of the exceptions only, Enter confirms"),
    ("F6  F7", "交班页 · 上一只不予充装的挂牌票", "hand-over page · rack ticket of the last refusal"),
    ("← →  Esc", "放大别的工位 · 返回", "see another lane large · back"),
    ("F2 F3 F8", "中文/English · 日间/夜间 · 声音开关", "中文/English · day/night · sound on or off"),
    ("Ctrl+C", "停下本程序:阀门先关,记录写完", "stop this program: valves shut first, records written"),
)
# fmt: on


def draw(board: Board, desk: Desk, width: int, height: int, echo: str = "") -> Block:
    """The whole screen. `echo` is what somebody is typing as a code."""
    if desk.page == "lanes":
        return draw_lanes(board, desk.language, desk.grown, width, height, _keys_row(desk, width, echo))
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return too_small(board, desk.language, width, height)
    above = (header(board, desk.language, width), band(board, desk.language, width), *_strip(board, desk, width))
    room = height - len(above)
    page = _page(board, desk, width - 2, room - 1)
    foot = fit_row(span(_foot(desk), "head"), width, "head")
    return (*above, *fit(inset(page, width), width, room - 1), foot)


def _keys_row(desk: Desk, width: int, echo: str) -> str:
    """The keys that matter, or what is being typed."""
    if echo:
        return f"{'键入' if desk.language == 'zh' else 'typed'} {echo}_ "
    most = 3 if width < 100 else len(_KEYS)
    named = (f"{key} {zh if desk.language == 'zh' else en}" for key, zh, en in _KEYS[:most])
    return "  ".join(named) + " "


def _foot(desk: Desk) -> str:
    zh = desk.language == "zh"
    if desk.page == "before":
        said = ("数字选择 · Enter 确认 · Esc 不记录", "number: choose · Enter: confirm · Esc: record nothing")
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
        case "before":
            return _before(board, desk, width, height)
        case "handover":
            return _handover(board, desk, width)
        case "ticket":
            return _ticket(board, desk, width, height)
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


def _before(board: Board, desk: Desk, width: int, height: int) -> Block:
    """The list P1 to P17, exceptions only."""
    title = _heading("充装前检查:哪些不符合?", "Before the fill: what is not in order?", desk, width)
    rows = [_exception(number, desk) for number in range(1, len(EXCEPTIONS) + 1)]
    if width >= _TWO_COLUMNS:
        half = -(-len(rows) // 2)
        each = width // 2
        columns = beside(fit(tuple(rows[:half]), each, half), fit(tuple(rows[half:]), width - each, half))
    else:
        columns = tuple(rows)
    chosen = " ".join(map(str, sorted(desk.marked))) or (
        "无:全部符合" if desk.language == "zh" else "none: all in order"
    )
    shown = f"{'已选' if desk.language == 'zh' else 'chosen'}  {chosen}  {desk.typed}{'_' if desk.typed else ''}"
    return (title, *fit(columns, width, min(len(columns), height - 3)), span(""), span(shown, "fact"))


def _exception(number: int, desk: Desk) -> Row:
    item, finding = EXCEPTIONS[number - 1]
    is_marked = number in desk.marked
    text = f"{number:>3} {'✘' if is_marked else ' '} {pick(words.FINDINGS[finding], desk.language)} "
    return (*span(text, "marked" if is_marked else "fact"), (f" {item}", "dim"))


def _handover(board: Board, desk: Desk, width: int) -> Block:
    """What the next shift must know."""
    zh = desk.language == "zh"
    lane = board.lane(desk.lane if desk.lane is not None else board.active)
    nobody = "未上岗" if zh else "nobody"
    facts: list[tuple[str, str, bool]] = [
        ("充装人" if zh else "filler", lane.worker_id or nobody, False),
        ("检查人" if zh else "checker", lane.checker_id or nobody, False),
        ("本班已充" if zh else "filled", str(lane.filled), False),
        ("本班禁充" if zh else "refused", str(lane.refused), False),
        ("待传记录" if zh else "records to send", str(board.unsent), board.unsent > 0),
        ("争议" if zh else "disputed", str(board.disputed), board.disputed > 0),
        ("报警" if zh else "alarms", str(len(board.alarms)), bool(board.alarms)),
    ]
    rows = [_heading("交班", "Hand-over", desk, width), span("")]
    rows += [(*fit_row(span(name, "dim"), 18), (value, "warn" if wrong else "fact")) for name, value, wrong in facts]
    rows.append(span(""))
    step = (
        "下一班刷上岗卡即接班;待传记录存在本机,联网后自动上传。",
        "The next shift signs on with a badge; records that wait are kept here and are sent by themselves.",
    )
    rows += paragraph(f"→ {step[0] if zh else step[1]}", width, "strong")
    for alarm in board.alarms[:5]:
        rows += paragraph(f"▲ {pick(alarm, desk.language)}", width, "warn", 2)
    return tuple(rows)


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
