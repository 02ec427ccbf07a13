"""The rack ticket (挂牌票): what is hung on a refused cylinder, in words and as a symbol, shown and printed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cylinder_trace.reasons import REASONS
from station_agent import words
from station_agent.devices.scanner import Badge
from station_agent.settings import SettingsError, load_settings
from station_agent.ticket import Ticket, block_rows, rack_for
from station_agent.ticket_printer import TicketPrinter, escpos, raster
from stations.floors import FILLER, FloorHouse, code_of, cylinder

TICKET = Ticket(
    verdict=words.NOT_TO_BE_FILLED,
    outcome="DENY",
    code="7K2M9QRT4XWZB8NDPVHC3J5E42",
    lane=1,
    check_id="chk_00000000000000000000000001",
    at=1_795_312_800_000,
    rack="yellow",
    next_act="inspect",
    codes=("R20", "R41"),
    found=(("检验已于 2026-02 到期", "Inspection was due in 2026-02"), ("瓶阀损坏", "The valve is damaged")),
    next_step=("挂黄牌,送检验机构。", "Hang the yellow tag and send it to the inspection body."),
    serial="A22050001",
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[FloorHouse]:
    flagged = {1: cylinder(1, flags=("black",)), 2: cylinder(2)}
    house = FloorHouse(tmp_path, cylinders=flagged)
    house.take(Badge(1, FILLER, False))
    yield house
    house.close()


def test_a_ticket_says_when_where_what_and_what_next_in_both_languages() -> None:
    lines = TICKET.lines()
    assert lines[0] == "瓶链 挂牌票 RACK TICKET  2026-11-22 10:00"
    assert "挂 黄牌 YELLOW tag" in lines
    assert lines[-2:] == ["→ 挂黄牌,送检验机构。", "  Hang the yellow tag and send it to the inspection body."]
    assert "R20 检验已于 2026-02 到期" in lines
    assert "编号 serial A22050001" in lines


def _read(modules: list[list[int]]) -> str:
    """What a reader sees in dark modules on light paper."""
    picture = np.kron(255 - 255 * np.array(modules, np.uint8), np.ones((6, 6), np.uint8))
    text, *_ = cv2.QRCodeDetector().detectAndDecode(picture)
    return str(text)


SAID = "PLT1 DENY 7K2M9QRT4XWZB8NDPVHC3J5E42 R20+R41 inspect yellow 2026-11-22T02:00Z chk_00000000000000000000000001"


def test_the_symbol_in_the_text_says_the_same_in_one_line() -> None:
    halves = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    rows = [[halves[char] for char in line] for line in block_rows(TICKET.symbol().modules)]
    modules = [[pair[half] for pair in row] for row in rows for half in (0, 1)]
    assert _read(modules) == TICKET.said == SAID


def test_the_symbol_that_a_receipt_printer_burns_says_the_same() -> None:
    printed = raster(TICKET.symbol())
    assert printed[:4] == b"\x1dv0\x00"
    wide, side = int.from_bytes(printed[4:6], "little"), int.from_bytes(printed[6:8], "little")
    dots = np.unpackbits(np.frombuffer(printed[8:], np.uint8)).reshape(side, wide * 8)
    assert _read(dots.tolist()) == SAID


def test_a_receipt_printer_gets_its_letters_in_gb_18030_and_a_cut() -> None:
    content = escpos(TICKET)
    assert content.startswith(b"\x1b@")
    assert "挂黄牌".encode("gb18030") in content
    assert content.endswith(b"\x1dV\x42\x00")


def test_a_refused_cylinder_gets_its_ticket_with_the_rack_of_its_first_reason(house: FloorHouse) -> None:
    house.fill(1)
    ticket = house.now.lane(1).view.ticket
    assert ticket is not None
    assert (ticket.rack, ticket.codes, ticket.next_act, ticket.code) == ("red", ("R32",), "scrap", code_of(1))
    assert ticket.serial == "A22050001"
    (told,) = house.said("ticket")
    assert (told["rack"], told["said"], told["printed"]) == ("red", ticket.said, None)


def test_what_is_wrong_with_people_or_code_hangs_nothing_on_the_cylinder(house: FloorHouse) -> None:
    house.take(Badge(1, "worker-9", False))
    house.fill(2)
    house.scan(1, "no code")
    assert house.said("ticket") == []
    assert house.now.lane(1).view.ticket is None


def test_a_cylinder_that_bears_only_another_registers_code_is_set_aside_for_its_owner(house: FloorHouse) -> None:
    house.scan(1, "https://elsewhere.example/bottle/4711")
    ticket = house.now.lane(1).view.ticket
    assert ticket is not None
    assert (ticket.rack, ticket.codes, ticket.next_act) == ("blue", ("R01",), "return")


def test_each_next_step_that_takes_the_cylinder_away_has_a_rack() -> None:
    acts = {reason.next_act for reason in REASONS.values()}
    assert {act for act in acts if rack_for(act) is None} == {"check", "rescan", "stop_station"}


def test_no_ticket_accuses_anybody() -> None:
    for word in ("非法", "违法", "偷", "illegal", "fraud", "guilty"):
        assert all(word not in said for pair in (*TICKET.found, words.NOT_TO_BE_FILLED) for said in pair)


# ---------------------------------------------------------------- printing


def test_tickets_are_printed_one_after_another(house: FloorHouse, tmp_path: Path) -> None:
    printer = tmp_path / "printer"
    house.printer = TicketPrinter(printer)
    house.restart()
    house.take(Badge(1, FILLER, False))
    house.fill(1)
    house.wait_for(lambda: len(house.said("ticket")) == 1)
    house.fill(1)
    house.wait_for(lambda: len(house.said("ticket")) == 2)
    assert printer.read_text("utf-8").count("RACK TICKET") == 2
    assert [told["printed"] for told in house.said("ticket")] == [True, True]


def test_a_printer_that_is_not_there_stops_nothing_and_is_told(house: FloorHouse, tmp_path: Path) -> None:
    house.printer = TicketPrinter(tmp_path / "no such folder" / "printer", "escpos")
    house.restart()
    house.take(Badge(1, FILLER, False))
    house.fill(1)
    house.wait_for(lambda: house.said("not_printed"))
    assert house.said("not_printed")[0]["zh"] == words.NOT_PRINTED[0]
    assert house.said("ticket")[0]["printed"] is False
    house.fill(2)
    assert len(house.scales[1].events("valve_opened")) == 1


def test_the_settings_name_the_printer_and_its_kind(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    lanes = '[[lanes]]\ndigit = 1\nscale_id = "sc_1"\nunit = 1\nkind = "check"\n'
    text = f'service_url = "https://ledger.example"\n[ticket]\nprinter = "lp0"\nkind = "escpos"\n{lanes}'
    file.write_text(text, "utf-8")
    settings, _ = load_settings(file)
    assert (settings.ticket.printer, settings.ticket.kind, settings.lanes[0].kind) == ("lp0", "escpos", "check")
    file.write_text(text.replace("escpos", "fax"), "utf-8")
    with pytest.raises(SettingsError, match=r"ticket\.kind"):
        load_settings(file)


def test_a_ticket_of_an_unread_cylinder_leaves_out_what_is_not_known() -> None:
    lines = replace(TICKET, code=None, serial=None).lines()
    assert "码 code -" in lines
    assert not [line for line in lines if line.startswith("编号")]
