"""`station-agent scanner-test`: what each scanner does wrong, by lane and source, and how it is mended."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.legacy_forms import ScanForms
from cylinder_codes.scanner_examination import SYMBOLS
from station_agent.devices.scanner import WedgeDecoder
from station_agent.devices.scanner_frames import FrameDecoder, Framing
from station_agent.scanner_test import Burst, Report, ScannerTrial
from stations.serial_pair import serial_cable

SHEET = [symbol.text for symbol in SYMBOLS]
LETTERS = SHEET[0]


def trial() -> ScannerTrial:
    return ScannerTrial(ScanForms((DEFAULT_HOST,)))


def typed(text: str, *gaps_ms: int, test: ScannerTrial | None = None) -> Report:
    return (test or trial()).typed(Burst(text, gaps_ms), WedgeDecoder(), 50)


def sent(text: str, *gaps_ms: int, framing: Framing = Framing(), lane: int | None = 1) -> Report:  # noqa: B008
    return trial().sent("gun 1", Burst(text, gaps_ms), FrameDecoder(framing, lane, "~"), framing)


def faults(report: Report) -> set[str]:
    return {finding.fault.value for finding in report.findings if finding.is_fault}


def test_a_good_scanner_is_told_its_lane_its_speed_and_the_next_symbol() -> None:
    report = typed(f"~3{LETTERS}\r", 2, 5, 3)
    assert (report.good, report.lane, report.slowest_ms, faults(report)) == (True, 3, 5, set())
    assert report.arrived == f"~3{LETTERS}<CR>"
    assert report.next_symbol is not None
    assert report.next_symbol.startswith("2/6")


@pytest.mark.parametrize(
    ("arrived", "fault"),
    [
        (f"~1{LETTERS.swapcase()}\r", "caps_lock"),
        (f"~1{LETTERS}", "no_suffix"),
        (f"~1{LETTERS.lower()}\r", "lower_case"),
    ],
)
def test_what_a_wedge_does_wrong_is_named_with_the_way_to_mend_it(arrived: str, fault: str) -> None:
    report = typed(arrived)
    assert (report.good, report.lane, fault in faults(report)) == (False, 1, True)
    assert any("→" in line for line in report.lines())


def test_a_wedge_that_names_no_lane_is_told_to() -> None:
    report = typed(f"{LETTERS}\r")
    assert (report.good, report.lane) == (False, None)
    assert "names no lane" in "\n".join(report.lines())


def test_a_slow_scanner_is_told_that_it_would_be_taken_for_a_person() -> None:
    report = typed(f"~1{LETTERS}\r", 20, 80)
    assert "80 ms between keys, more than the 50 ms" in "\n".join(report.lines())


def test_a_lost_group_separator_is_seen_at_the_fourth_symbol() -> None:
    test = trial()
    for text in SHEET[:3]:
        assert typed(f"~1{text}\r", test=test).good
    report = typed(f"~1{SHEET[3]}\r".replace("\x1d", ""), test=test)
    assert faults(report) == {"gs_lost"}


def test_two_scanners_go_through_the_sheet_each_by_itself() -> None:
    test = trial()
    for text in SHEET:
        for lane in (1, 2):
            assert typed(f"~{lane}{text}\r", test=test).good
    assert test.good


def test_a_card_and_a_cylinder_may_be_scanned_at_any_time() -> None:
    assert "card Badge" in typed("~1PL:W:fw_01\r").made_of_it
    cylinder = typed("~1(8003)09520001123450ZJ33010000017\r")
    assert cylinder.made_of_it == "码 code grai:09520001123450ZJ33010000017"
    assert (cylinder.good, cylinder.symbol) == (True, None)


def test_a_serial_scanner_whose_frame_is_not_that_of_the_settings_is_told_so() -> None:
    good = sent(f"\x02{LETTERS}\x03", framing=Framing(framed=True))
    assert (good.good, good.lane, good.symbol and good.symbol[:3]) == (True, 1, "1/6")
    bad = sent(f"{LETTERS}\r", framing=Framing(framed=True))
    assert not bad.good
    assert "not those of the settings" in "\n".join(bad.lines())
    elsewhere = sent(f"~2{LETTERS}\r")
    assert "the digit of another lane" in "\n".join(elsewhere.lines())


# ---------------------------------------------------------------- the command


def test_the_command_tries_a_serial_scanner_and_the_keyboard_and_ends_by_itself(tmp_path: Path) -> None:
    with serial_cable() as cable:
        config = tmp_path / "station.toml"
        config.write_text(
            'service_url = "http://127.0.0.1:1"\n[[lanes]]\ndigit = 1\nscale_id = "s"\nunit = 1\n'
            f'[[scanners]]\nkind = "serial"\nname = "gun 1"\nserial = "{cable.near}"\nlane = 1\n'
        )
        command = (sys.executable, "-m", "station_agent.cli", "scanner-test", "--json", "--config", str(config))
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stderr.readline().startswith("gun 1: ")
            reports: list[dict[str, Any]] = []
            fd = os.open(cable.far, os.O_WRONLY | os.O_NOCTTY)
            for text in SHEET:  # each is answered before the next is scanned
                os.write(fd, f"{text}\r".encode())
                reports.append(json.loads(process.stdout.readline()))
            os.close(fd)
            process.stdin.write("~1PL:W:fw_01\r")
            process.stdin.close()
            reports += [json.loads(line) for line in process.stdout]
            assert process.wait(20) == 0
    assert [report["source"] for report in reports] == ["gun 1"] * 6 + ["keyboard"]
    assert all(report["good"] for report in reports)
