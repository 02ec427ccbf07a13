"""Drawing (画面): a board, and what the person at the keyboard chose, as a block of rows. Pure.

    time · link · age of the data · queue · clock            always the first row
    band: window over (red) · offline (grey) · alarm · notice  always the second row
    one lane fills the screen; two or three stand side by side; more are tiles in a fixed place, the active one grown
    the last ten cylinders
    who works here · counter of the shift · keys             always the last row

Each lane is drawn from its own facts alone and kept, so that what did not change costs nothing.
"""

from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

from station_agent.link import LinkSaid
from station_agent.screen.blocks import (
    Block,
    Row,
    beside,
    both_ends,
    fit,
    fit_row,
    inset,
    middle,
    middle_row,
    paragraph,
    span,
)
from station_agent.screen.board import Board, LaneFacts, age_in, kilograms
from station_agent.screen.letters import large
from station_agent.words import Said

LEAST_WIDTH, LEAST_HEIGHT = 40, 12
_SIDE_BY_SIDE_WIDTH = 40
_SIDE_BY_SIDE_MOST = 3
_FRAME_ROWS = 4  # header, band, the last ten, foot
_WIDE_LANE = 64
_MOST_TILES_A_ROW = 5
_BAR_BEYOND_CAP = 1.03
_FULL, _LIGHT = "\u2588", "\u2591"  # written by number: the font of labels has no blocks
_TERSE_BELOW, _LARGE_FACTS_FROM = 18, 36  # rows of a lane
_TILE_WITH_LETTERS, _ROOM_BELOW_TILES = 8, 16
_LEAST_VERDICT, _USUAL_LOWER, _LARGE_ROWS = 4, 10, 6


class Look(NamedTuple):
    """How a lane is drawn."""

    language: str
    terse: bool
    """One language and no more: there is little room."""
    large: bool
    """Weight and serial number in large letters: there is much room."""


def pick(said: Said, language: str) -> str:
    """A sentence in one language."""
    return said[0] if language == "zh" else said[1]


def draw_lanes(board: Board, language: str, grown: int | None, width: int, height: int, keys: tuple[str, ...]) -> Block:
    """The screen in its usual view; `grown` is the lane that somebody chose to see large."""
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return too_small(board, language, width, height)
    shown = grown if grown is not None else board.active
    body = _body(board, language, shown, width, height - _FRAME_ROWS)
    foot = _foot(board, language, shown, width, keys)
    return (header(board, language, width), band(board, language, width), *body, _last(board, language, width), foot)


def too_small(board: Board, language: str, width: int, height: int) -> Block:
    """One sentence, and each lane's verdict in a line, for a window in which nothing else has room."""
    size = f"{LEAST_WIDTH}×{LEAST_HEIGHT}"
    said = f"窗口太小,请放大到 {size}。" if language == "zh" else f"Make the window at least {size}."
    lanes = [
        span(f"{lane.number} {lane.verdict.sign} {lane.verdict.said(language)}", lane.verdict.tone)
        for lane in board.lanes
    ]
    return fit((*paragraph(said, width, "strong"), *lanes), width, height)


# ---------------------------------------------------------------- the frame


def header(board: Board, language: str, width: int) -> Row:
    """Where we are, and how the station stands to the service."""
    zh = language == "zh"
    left = span(f" {board.time}  {board.station_id} ", "head")
    online = ("● 在线" if zh else "● online") if board.online else ("○ 离线" if zh else "○ offline")
    parts: list[tuple[str, str]] = [
        (online, "head.good" if board.online else "head.halt"),
        (f"{'数据' if zh else 'data'} {age_in(board.data_minutes, language)}", _data_style(board)),
        (f"{'待传' if zh else 'to send'} {board.unsent}", "head"),
    ]
    if board.disputed:
        parts.append((f"{'争议' if zh else 'disputed'} {board.disputed}", "head.halt"))
    clock = {"checked": "时钟 ✔" if zh else "clock ✔", "unknown": "时钟未核对" if zh else "clock not checked"}
    parts.append((clock.get(board.clock, "时钟不准" if zh else "clock off"), _clock_style(board)))
    right = tuple(piece for part in parts for piece in (part, ("  ", "head")))
    return both_ends(left, right, width, "head")


def _data_style(board: Board) -> str:
    return "head.bad" if board.window_over else "head"


def _clock_style(board: Board) -> str:
    return "head" if board.clock == "checked" else "head.bad"


def band(board: Board, language: str, width: int) -> Row:
    """Red when the permitted window is over, grey when offline; else the last alarm or notice; else nothing."""
    zh = language == "zh"
    if board.leaving:
        text = "正在停止:先关阀门,再写完记录。" if zh else "Stopping: valves first, then the records."
        return middle_row(span(text, "band.grey"), width, "band.grey")
    if board.window_over:
        limit = board.data_limit_hours
        said = "没有站内数据" if limit is None else f"离线已超过 {limit} 小时"
        said_en = "no data yet" if limit is None else f"offline for more than {limit} h"
        text = (
            f"■ {said},停止充装。接通网络后自动恢复。" if zh else f"■ {said_en}: no filling until the network is back."
        )
        return middle_row(span(text, "band.red"), width, "band.red")
    if board.stopped and board.link:
        return middle_row(span(f"■ {_link_words(board.link, language)}", "band.red"), width, "band.red")
    if not board.online:
        said = _link_words(board.link, language) if board.link else "离线" if zh else "Offline"
        return middle_row(span(f"○ {_time_left(board, language)} · {said}", "band.grey"), width, "band.grey")
    if board.alarms:
        text = f"▲ {pick(board.alarms[0], language)}" + (f"  (+{len(board.alarms) - 1})" if board.alarms[1:] else "")
        return middle_row(span(text, "band.alarm"), width, "band.alarm")
    if board.notice:
        return middle_row(span(pick(board.notice, language), "notice"), width)
    return span(" " * width)


def _time_left(board: Board, language: str) -> str:
    """How long may be filled without the network: as the data and, after a restart, the clock allow."""
    minutes = (board.data_limit_hours or 0) * 60 - (board.data_minutes or 0)
    if board.unchecked_minutes is not None and board.unchecked_minutes < minutes:
        left = board.unchecked_minutes
        return f"还可 {left} 分钟" if language == "zh" else f"{left} min left"
    hours = (board.data_limit_hours or 0) - (board.data_minutes or 0) // 60
    return f"还可 {hours} 小时" if language == "zh" else f"{hours} h left"


def _link_words(link: LinkSaid, language: str) -> str:
    return f"{link.zh}。{link.next_zh}。" if language == "zh" else f"{link.en}. {link.next_en}."


def _last(board: Board, language: str, width: int) -> Row:
    """The last ten cylinders, the newest first, as tiles: lane, shape, net weight or code."""
    row: list[tuple[str, str]] = [(" 最近 " if language == "zh" else " last ", "dim")]
    several = len(board.lanes) > 1
    for tile in board.last:
        lane = f"{tile.lane}:" if several else ""
        row.append((f" {lane}{'✔' if tile.filled else '✘'}{tile.text} ", "tile.good" if tile.filled else "tile.bad"))
        row.append((" ", ""))
    return fit_row(tuple(row), width)


def _foot(board: Board, language: str, shown: int, width: int, keys: tuple[str, ...]) -> Row:
    zh, lane = language == "zh", board.lane(shown)
    nobody = "未上岗" if zh else "nobody"
    people = "" if lane.kind == "check" else f" {'充装' if zh else 'filler'} {lane.worker_id or nobody} "
    if lane.checker_id or lane.kind == "check":
        people += f" {'检查' if zh else 'checker'} {lane.checker_id or nobody}"
    counts = f"  {'本班' if zh else 'shift'} ✔{lane.counts.fills} ✘{lane.counts.refusals}" if lane.counts else ""
    left, right = people + counts, ""
    for key in keys:
        if cell_len(left) + cell_len(right) + cell_len(key) + 4 <= width:
            right += f"  {key}"
    return both_ends(
        span(left, "head" if lane.worker_id or lane.checker_id else "head.halt"),
        span(f"{right} ", "head.dim"),
        width,
        "head",
    )


# ---------------------------------------------------------------- the lanes


def _body(board: Board, language: str, shown: int, width: int, height: int) -> Block:
    lanes = board.lanes
    if len(lanes) == 1:
        return lane_panel(lanes[0], language, width, height, titled=False)
    if len(lanes) <= _SIDE_BY_SIDE_MOST and width // len(lanes) >= _SIDE_BY_SIDE_WIDTH:
        return _side_by_side(board, language, width, height)
    return _tiles_and_grown(board, language, shown, width, height)


def _side_by_side(board: Board, language: str, width: int, height: int) -> Block:
    count = len(board.lanes)
    each = (width - (count - 1)) // count
    gap: Block = tuple(span(" ") for _ in range(height))
    panels: list[Block] = []
    for n, lane in enumerate(board.lanes):
        panels += [gap] if n else []
        panels.append(lane_panel(lane, language, each, height, titled=True))
    return fit(beside(*panels), width, height)


def _tiles_and_grown(board: Board, language: str, shown: int, width: int, height: int) -> Block:
    """Tiles that never move, so that an eye finds its lane, and below them the lane that matters now."""
    count = len(board.lanes)
    rows = -(-count // _MOST_TILES_A_ROW)
    a_row = -(-count // rows)
    each = width // a_row
    tall = _TILE_WITH_LETTERS if height >= _ROOM_BELOW_TILES + _TILE_WITH_LETTERS * rows else 2
    tiles: list[Row] = []
    for first in range(0, count, a_row):
        line = board.lanes[first : first + a_row]
        tiles += fit(beside(*(_tile(lane, language, lane.number == shown, each, tall) for lane in line)), width, tall)
    grown = lane_panel(board.lane(shown), language, width, height - len(tiles), titled=True)
    return (*tiles, *grown)


@lru_cache(maxsize=64)
def _tile(lane: LaneFacts, language: str, is_shown: bool, width: int, height: int) -> Block:
    """A lane that is not the active one: its number, verdict and one fact."""
    tone, inner = lane.verdict.tone, width - 1
    word = lane.verdict.zh if language == "zh" else lane.verdict.en
    mark, name = "▼" if is_shown else " ", f" {lane.number} {lane.verdict.sign} {word}"
    fact = _fact(lane, language)
    if height < _TILE_WITH_LETTERS:
        title = both_ends(span(name, tone), span(f"{mark} ", tone), inner, tone)
        rows: Block = (title, fit_row(span(f" {fact}", tone), inner, tone))
    else:
        title = both_ends(span(name, "title"), span(f"{fact} {mark} ", "title"), inner, "title")
        letters = large(tuple(word.split()), inner - 2, height - 1, tone) or large(
            (lane.verdict.shape,), inner, height - 1, tone
        )
        rows = (title, *middle(letters or (), inner, height - 1, tone))
    return tuple((*row, (" ", "")) for row in rows)


def _fact(lane: LaneFacts, language: str) -> str:
    if lane.verdict.tone == "bad" and lane.first_code:
        return lane.first_code
    if lane.verdict.tone in ("good", "done", "bad") and lane.gross_g is not None:
        return f"{kilograms(lane.gross_g)} kg"
    return _who(lane, language)


@lru_cache(maxsize=64)
def lane_panel(lane: LaneFacts, language: str, width: int, height: int, *, titled: bool) -> Block:
    """A lane in full: verdict, sentence, next step, what to compare with the steel, the weight."""
    title = (_title(lane, language, width),) if titled else ()
    room = height - len(title)
    look = Look(language, terse=room < _TERSE_BELOW, large=room >= _LARGE_FACTS_FROM)
    below = _lower(lane, look, width - 2)
    usual = _USUAL_LOWER + (_LARGE_ROWS + 1 if look.large else 0) - (3 if look.terse else 0)
    least = min(room, _LEAST_VERDICT)
    tall = max(least, room - max(len(below), usual if width >= _WIDE_LANE else usual + 2))
    return fit((*title, *verdict_band(lane, language, width, tall), *inset(below, width)), width, height)


def _title(lane: LaneFacts, language: str, width: int) -> Row:
    name = f" {lane.number} 号{'复检' if lane.kind == 'check' else ''}工位"
    if language == "en":
        name = f" Lane {lane.number}{', weighing again' if lane.kind == 'check' else ''}"
    who = _who(lane, language)
    return both_ends(span(name, "title"), span(f"{who} ", "title"), width, "title")


def _who(lane: LaneFacts, language: str) -> str:
    people = " · ".join(one for one in (lane.worker_id, lane.checker_id) if one)
    return people or ("未上岗" if language == "zh" else "nobody")


def verdict_band(lane: LaneFacts, language: str, width: int, height: int) -> Block:
    """The verdict: shape and word as large as the place allows, and the same as a line of text below."""
    verdict, tone = lane.verdict, lane.verdict.tone
    word = verdict.zh if language == "zh" else verdict.en
    room = height - 1
    letters = large((verdict.shape, *word.split()), width, room, tone)
    alone = large(tuple(word.split()), width, room, tone)
    if alone and (letters is None or 2 * len(alone) > 3 * len(letters)):
        letters = alone
    letters = letters or large((verdict.shape,), width, room, tone)
    sign = middle_row(span(f"{verdict.sign}  {verdict.said(language)}  {verdict.sign}", tone), width, tone)
    if letters is None:
        return middle((sign,), width, height, tone)
    return (*middle(letters, width, room, tone), sign)


def _lower(lane: LaneFacts, look: Look, width: int) -> Block:
    """Sentence and next step; below, steel at the left and weight at the right, or one below the other."""
    said = _sentences(lane, look, width)
    if width < _WIDE_LANE - 2:
        return (*said, *_weight(lane, look, width), *_steel(lane, look, width))
    half = width // 2
    steel = _steel(lane, look, half - 1)
    air = () if look.terse else (span(""),)
    facts = beside(fit(steel, half, max(1, len(steel))), _weight(lane, look, width - half))
    return (*air, *said, *air, *facts)


def _sentences(lane: LaneFacts, look: Look, width: int) -> Block:
    """What was found, what to do; the other language small beside it."""
    language = look.language
    rows: list[Row] = []
    for said in lane.noted:
        rows += paragraph(f"✘ {pick(said, language)}", width, "warn", 1)
    if lane.notice:
        rows += paragraph(f"▲ {pick(lane.notice, language)}", width, "warn", 2)
    for said_or_none, mark in ((lane.says, ""), (lane.next_step, "→ ")):
        if said_or_none:
            rows += _in_both(said_or_none, mark, look, width)
    if lane.more:
        codes = " ".join(told.code for told in lane.more)
        rows += paragraph(f"另有 {codes}" if language == "zh" else f"also {codes}", width, "dim", 1)
    return tuple(rows)


def _in_both(said: Said, mark: str, look: Look, width: int) -> Block:
    """A sentence in the chosen language, and in the other one behind or below it where there is room."""
    first, second = said if look.language == "zh" else said[::-1]
    text = f"{mark}{first}"
    if cell_len(text) + 3 + cell_len(second) <= width:
        return (fit_row((*span(text, "strong"), *span(f"   {second}", "dim")), width),)
    rows = paragraph(text, width, "strong", 2)
    return rows if look.terse else (*rows, *paragraph(f"{' ' * len(mark)}{second}", width, "dim", 1))


_STEEL_LABELS = {"zh": ("编号", "制造", "型号", "皮重", "下检"), "en": ("serial", "maker", "model", "tare", "due")}


def _steel(lane: LaneFacts, look: Look, width: int) -> Block:
    """What the eye compares with the steel."""
    language = look.language
    labels = _STEEL_LABELS[language]
    wide = max(map(cell_len, labels)) + 2
    if lane.steel is None:
        return (_labelled("码" if language == "zh" else "code", lane.code, wide),) if lane.code else ()
    steel = lane.steel
    values = (steel.serial, steel.maker, steel.model, f"{kilograms(steel.tare_g)} kg", steel.due or "—")
    serial = large((steel.serial,), width, _LARGE_ROWS, "fact") if look.large else None
    return (*(serial or ()), *(_labelled(label, value, wide) for label, value in zip(labels, values, strict=True)))


def _labelled(label: str, value: str, wide: int) -> Row:
    return (*fit_row(span(label, "dim"), wide, "dim"), (value, "fact"))


def _weight(lane: LaneFacts, look: Look, width: int) -> Block:
    """The live weight in large figures, and as a bar from the empty cylinder to the cap, with the target marked."""
    if lane.gross_g is None:
        return ()
    zh = look.language == "zh"
    figures = large((f"{kilograms(lane.gross_g)}", "kg"), width, _LARGE_ROWS, "fact")
    number: Block = figures if figures and look.large else (span(f"{kilograms(lane.gross_g)} kg", "fact"),)
    net = f"{'净重' if zh else 'net'} {kilograms(lane.net_g)} kg" if lane.net_g is not None else ""
    if lane.stop_at_gross_g is None or lane.empty_gross_g is None:
        return (*number, span(net, "fact")) if net else number
    told = [net] if net else []
    told.append(f"{'目标' if zh else 'target'} {kilograms(lane.stop_at_gross_g)}")
    if lane.cap_gross_g is not None:
        told.append(f"{'上限' if zh else 'cap'} {kilograms(lane.cap_gross_g)}")
    return (*number, weight_bar(lane, width), span("  ".join(told), "fact"))


def weight_bar(lane: LaneFacts, width: int) -> Row:
    """Full so far, light what is to come, `◆` where the valve shuts, `┃` what must never be passed."""
    empty, target = lane.empty_gross_g or 0, lane.stop_at_gross_g or 0
    cap = max(target, lane.cap_gross_g or target)
    end = empty + (cap - empty) * _BAR_BEYOND_CAP

    def cell(grams: float) -> int:
        return max(0, min(width - 1, round((grams - empty) / max(1, end - empty) * (width - 1))))

    done = cell(lane.gross_g or 0)
    over = (lane.gross_g or 0) > cap
    cells = [(_FULL, "bar.over" if over else "bar.done") if x < done else (_LIGHT, "bar.rest") for x in range(width)]
    cells[cell(cap)] = ("┃", "bar.cap")
    cells[cell(target)] = ("◆", "bar.target")
    return tuple(cells)
