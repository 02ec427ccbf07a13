"""The settings of links, scanners and the gateway: what the first file explains, and what a mistake is told."""

import re
from pathlib import Path

import pytest

from station_agent.clock import steady_ms
from station_agent.devices.assembly import Devices, scanner_sources
from station_agent.devices.driver import DriverError
from station_agent.devices.scanner_sources import ListeningSource, ScannerSource, SerialPlug, TcpPlug
from station_agent.settings import LaneSettings, ScaleSettings, Settings, SettingsError, load_settings, settings_text

HEAD = 'service_url = "http://127.0.0.1:8000"\n'
LANES = '[[lanes]]\ndigit = 1\nscale_id = "s1"\nunit = 1\n[[lanes]]\ndigit = 2\nscale_id = "s2"\nunit = 2\n'


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "station.toml"
    file.write_text(text, "utf-8")
    return load_settings(file)[0]


def first_file() -> str:
    lanes = [LaneSettings(digit=1, scale_id="s1", unit=1), LaneSettings(digit=2, scale_id="s2", unit=2)]
    return settings_text("http://127.0.0.1:8000", lanes, ScaleSettings(), None)


def uncommented(text: str, table: str) -> str:
    """That table of the first file, as a person switches it on; remarks behind a value stay."""
    lines = text[text.index(f"# {table}\n") :].split("\n\n")[0].splitlines()
    return "\n".join(line.removeprefix("# ") for line in lines if re.match(r"# (\[|[a-z_]+ = )", line))


# ---------------------------------------------------------------- what the file explains


@pytest.mark.parametrize("model", ["LinkSettings", "ScannerSourceSettings", "GatewaySettings", "ScannerSettings"])
def test_every_key_of_a_device_stands_in_the_first_file(model: str) -> None:
    from station_agent import settings

    text = first_file()
    for key in getattr(settings, model).model_fields:
        assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), key


def test_the_examples_of_the_first_file_are_right_once_they_are_switched_on(tmp_path: Path) -> None:
    text = first_file()
    links, gateway = uncommented(text, "[[links]]"), uncommented(text, "[gateway]")
    settings = loaded(tmp_path, f"{HEAD}{links}\n{gateway}\n{LANES}")
    assert (settings.links[0].name, settings.links[0].serial) == ("rs485", "/dev/ttyUSB0")
    assert (settings.gateway.host, settings.gateway.port) == ("127.0.0.1", 1503)
    wrong = {"serial": ("host", "port", "device"), "tcp": ("serial", "baud", "parity", "stop_bits", "device")}
    for kind, others in wrong.items():
        lines = uncommented(text, "[[scanners]]").replace('kind = "serial"', f'kind = "{kind}"').splitlines()
        table = "\n".join(line for line in lines if line.split(" ")[0] not in others)
        (source,) = loaded(tmp_path, f"{HEAD}{table}\n{LANES}").scanners
        assert (source.terminator, source.inter_key_ms, source.lane) == ("\r\n", 500, 1)


def test_a_station_may_have_several_links_and_windows_names_its_ports(tmp_path: Path) -> None:
    text = f"""{HEAD}
[scales]
serial = "COM3"
baud = 19200
parity = "E"
[[links]]
name = "hall-2"
host = "192.168.1.9"
port = 502
driver = "example-gateway"
{LANES.replace("unit = 2", 'unit = 1{newline}link = "hall-2"').format(newline=chr(10))}"""
    settings = loaded(tmp_path, text)
    assert [(lane.link, lane.unit) for lane in settings.lanes] == [("scales", 1), ("hall-2", 1)]
    devices = Devices(settings, tmp_path, steady_ms)
    assert [devices.scale(lane, 7) for lane in settings.lanes]
    devices.close()


def test_every_kind_of_scanner_is_put_together_as_the_settings_say(tmp_path: Path) -> None:
    text = f"""{HEAD}
[[scanners]]
kind = "serial"
serial = "COM4"
lane = 1
framed = true
[[scanners]]
kind = "tcp"
name = "base"
host = "192.168.1.20"
port = 9004
repeat_ms = 3000
[[scanners]]
kind = "listen"
host = "127.0.0.1"
port = 9005
terminator = ""
[[scanners]]
kind = "keyboard"
device = "/dev/input/by-id/usb-gun-event-kbd"
lane = 2
{LANES}"""
    serial, tcp, listening, keyboard = scanner_sources(loaded(tmp_path, text))
    assert isinstance(serial, ScannerSource)
    assert isinstance(tcp, ScannerSource)
    assert isinstance(listening, ListeningSource)
    assert (serial.name, serial.plug, serial.framing.framed, serial.lane) == ("COM4", SerialPlug("COM4"), True, 1)
    assert (tcp.name, tcp.plug, tcp.framing.repeat_ms) == ("base", TcpPlug("192.168.1.20", 9004), 3_000)
    assert (listening.name, listening.framing.terminator) == ("127.0.0.1:9005", "")
    assert (serial.framing.gap_ms, keyboard.framing.gap_ms) == (500, 50)


def test_a_driver_file_is_looked_for_beside_the_stations_data(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f'{HEAD}[scales]\ndriver = "mine.toml"\n{LANES}')
    with pytest.raises(DriverError, match=re.escape(str(tmp_path / "mine.toml"))):
        Devices(settings, tmp_path, steady_ms)


def test_a_lane_that_fills_needs_a_scale_with_a_valve_and_a_check_lane_does_not(tmp_path: Path) -> None:
    scales = '[scales]\ndriver = "example-check-scale"\n'
    with pytest.raises(DriverError, match="Lane 1 fills, and its driver example-check-scale knows no valve"):
        Devices(loaded(tmp_path, f"{HEAD}{scales}{LANES}"), tmp_path, steady_ms)
    lanes = LANES.replace("unit = 1", 'unit = 1\nkind = "check"').replace("unit = 2", "unit = 2\ngateway_unit = 1")
    Devices(loaded(tmp_path, f"{HEAD}{scales}{lanes}"), tmp_path, steady_ms).close()


# ---------------------------------------------------------------- mistakes

SERIAL_GUN = '[[scanners]]\nkind = "serial"\nserial = "COM4"\n'
MISTAKES = {
    "two ways to one scale": ('[scales]\nserial = "COM3"\nport = 502\n', "serial and host or port are two ways"),
    "a speed without a cable": ("[scales]\nbaud = 9600\n", "baud is of a serial port, and serial names none"),
    "a parity that is none": ('[scales]\nserial = "COM3"\nparity = "X"\n', "scales.parity"),
    "a link without a name": ('[[links]]\nserial = "COM3"\n', "links.0.name"),
    "a link called as the first": ('[[links]]\nname = "scales"\n', "two links have the same name"),
    "a scanner of no kind": ('[[scanners]]\nkind = "bluetooth"\n', "scanners.0.kind"),
    "a scanner without its port": ('[[scanners]]\nkind = "tcp"\nhost = "a"\n', 'kind = "tcp" needs port'),
    "a scanner with another's key": (SERIAL_GUN + "port = 1\n", 'kind = "serial" has no port'),
    "a scanner of a lane that is not there": (SERIAL_GUN + "lane = 9\n", "scanners.0: there is no lane 9"),
    "a misspelt key": (SERIAL_GUN + "repeatms = 9\n", "scanners.0.repeatms"),
    "a wedge whose suffix holds its prefix": ('[scanner]\nsuffix = "~"\n', "must not hold the prefix"),
    "a gateway on no port": ("[gateway]\nport = 0\n", "gateway.port"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_about_a_device_is_named(mistake: str, tmp_path: Path) -> None:
    table, named = MISTAKES[mistake]
    with pytest.raises(SettingsError) as told:
        loaded(tmp_path, f"{HEAD}{table}{LANES}")
    assert named in str(told.value)
    assert "Traceback" not in str(told.value)


LANE_MISTAKES = {
    "one unit for two scales": ("unit = 2", "unit = 1", "the same unit on one link"),
    "a link that is none": ("unit = 2", 'unit = 2\nlink = "rs485"', "lane 2 names the link 'rs485', which is none"),
    "a check lane with a gun": ("unit = 2", 'unit = 2\nkind = "check"\ngateway_unit = 1', "lane 2 is a check lane"),
}


@pytest.mark.parametrize("mistake", LANE_MISTAKES)
def test_a_mistake_between_lanes_is_named(mistake: str, tmp_path: Path) -> None:
    right, wrong, named = LANE_MISTAKES[mistake]
    with pytest.raises(SettingsError, match=re.escape(named)):
        loaded(tmp_path, HEAD + LANES.replace(right, wrong))
