"""The station's settings: one TOML file, every key explained, every mistake named at once."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.keys import KeyFormatError, VerifyingKey, parse_vkey
from cylinder_codes.legacy_forms import ScanForms, parse_legacy_forms
from cylinder_trace.values import Id


class SettingsError(Exception):
    """The settings cannot be used. The text names the file and every mistake."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


TcpPortNumber = Annotated[int, Field(ge=1, le=65_535)]
Baud = Annotated[int, Field(ge=300, le=921_600)]


class ScaleSettings(_Table):
    """`[scales]`: the first link to scales (秤的连接), over TCP or a serial cable."""

    host: str = "127.0.0.1"
    port: TcpPortNumber = 1502
    serial: str | None = None
    baud: Baud = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    timeout_ms: Annotated[int, Field(ge=50, le=900)] = 500
    driver: str = "demo-scale"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.serial is not None and self.model_fields_set & {"host", "port"}:
            raise ValueError("serial and host or port are two ways to one scale; leave one of them out")
        if self.serial is None and (over := self.model_fields_set & {"baud", "parity", "stop_bits"}):
            raise ValueError(f"{', '.join(sorted(over))} is of a serial port, and serial names none")
        return self


class LinkSettings(ScaleSettings):
    """`[[links]]`: further links to scales, which lanes name."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class ScannerSourceSettings(_Table):
    """`[[scanners]]`: a scanner that does not type into this terminal."""

    kind: Literal["serial", "tcp", "listen", "keyboard"]
    name: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    lane: Annotated[int, Field(ge=0, le=9)] | None = None
    serial: str | None = None
    baud: Baud = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    host: str | None = None
    port: TcpPortNumber | None = None
    device: str | None = None
    prefix: Annotated[str, Field(max_length=20)] = ""
    suffix: Annotated[str, Field(max_length=20)] = ""
    terminator: Annotated[str, Field(max_length=8)] = "\r\n"
    framed: bool = False
    inter_key_ms: Annotated[int, Field(ge=5, le=2_000)] | None = None
    repeat_ms: Annotated[int, Field(ge=0, le=60_000)] = 0

    @model_validator(mode="after")
    def _plugged_in(self) -> Self:
        needed = _NEEDED[self.kind]
        missing = [key for key in needed if getattr(self, key) is None]
        strange = sorted(self.model_fields_set & ({key for keys in _NEEDED.values() for key in keys} - set(needed)))
        if missing:
            raise ValueError(f'kind = "{self.kind}" needs {" and ".join(missing)}')
        if strange:
            raise ValueError(f'kind = "{self.kind}" has no {" and no ".join(strange)}')
        return self


_NEEDED = {"serial": ("serial",), "tcp": ("host", "port"), "listen": ("host", "port"), "keyboard": ("device",)}


class GatewaySettings(_Table):
    """`[gateway]`: where HMIs and PLCs ask this agent for a permit (充装许可网关)."""

    host: str = "127.0.0.1"
    port: TcpPortNumber = 1503


class ScannerSettings(_Table):
    """`[scanner]`"""

    prefix: Annotated[str, Field(min_length=1, max_length=1)] = "~"
    suffix: Annotated[str, Field(min_length=1, max_length=8)] = "\r\n"
    inter_key_ms: Annotated[int, Field(ge=5, le=500)] = 50
    sign_on: Literal["lane", "all"] = "lane"
    hosts: tuple[str, ...] = (DEFAULT_HOST,)
    legacy_forms: tuple[str, ...] = ()

    @field_validator("legacy_forms")
    @classmethod
    def _can_be_read(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        parse_legacy_forms(lines)  # LegacyFormError is a ValueError, so it is told as a fault of this key
        return lines

    @property
    def forms(self) -> ScanForms:
        """What a scan may look like here."""
        return ScanForms(self.hosts, parse_legacy_forms(self.legacy_forms))


class ShiftSettings(_Table):
    """`[shift]`"""

    leave_after_minutes: Annotated[int, Field(ge=1, le=1_440)] = 20


class TicketSettings(_Table):
    """`[ticket]`"""

    printer: str | None = None
    kind: Literal["text", "escpos"] = "text"


class TrustSettings(_Table):
    """`[trust]`"""

    regulators: str | None = None


class LaneSettings(_Table):
    """`[[lanes]]`"""

    digit: Annotated[int, Field(ge=0, le=9)]
    scale_id: Id
    unit: Annotated[int, Field(ge=1, le=247)]
    kind: Literal["fill", "check"] = "fill"
    link: str = "scales"
    gateway_unit: Annotated[int, Field(ge=1, le=247)] | None = None


class Settings(_Table):
    """The whole file."""

    service_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s]*)?$")]
    ca_file: str | None = None
    data: str = "."
    scales: ScaleSettings = ScaleSettings()
    links: tuple[LinkSettings, ...] = ()
    scanners: Annotated[tuple[ScannerSourceSettings, ...], Field(max_length=40)] = ()
    gateway: GatewaySettings = GatewaySettings()
    scanner: ScannerSettings = ScannerSettings()
    shift: ShiftSettings = ShiftSettings()
    ticket: TicketSettings = TicketSettings()
    trust: TrustSettings = TrustSettings()
    lanes: Annotated[tuple[LaneSettings, ...], Field(min_length=1, max_length=10)]

    @property
    def has_other_sources(self) -> bool:
        """Whether scans come from elsewhere than the keyboard."""
        return bool(self.scanners) or any(lane.gateway_unit is not None for lane in self.lanes)


def load_settings(file: Path) -> tuple[Settings, Path]:
    """The settings in `file` and the data folder they name, which is relative to the file. Raises SettingsError."""
    try:
        table = tomllib.loads(file.read_text("utf-8"))
        settings = Settings.model_validate(_tuples(table))
    except OSError as error:
        raise SettingsError(f"The settings {file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings {file} are not a TOML file: {error}.") from error
    except ValidationError as error:
        raise SettingsError(f"The settings {file} cannot be used: {_faults(error)}.") from error
    if mistakes := _mistakes(settings):
        raise SettingsError(f"The settings {file} cannot be used: {'; '.join(mistakes)}.")
    return settings, (file.parent / settings.data).resolve()


def _mistakes(settings: Settings) -> list[str]:
    """What is wrong although each table by itself is right."""
    links, digits = {"scales", *(link.name for link in settings.links)}, {lane.digit for lane in settings.lanes}
    found = [
        f"two lanes have the same {what}" for what in ("digit", "scale_id", "gateway_unit") if _twice(settings, what)
    ]
    at = [(lane.link, lane.unit) for lane in settings.lanes]
    found += ["two lanes have the same unit on one link"] if len(set(at)) < len(at) else []
    found += ["two links have the same name"] if len(links) < len(settings.links) + 1 else []
    found += [f"lane {lane.digit} names the link {lane.link!r}, which is none" for lane in settings.lanes
              if lane.link not in links]  # fmt: skip
    found += [f"scanners.{at}: there is no lane {source.lane}" for at, source in enumerate(settings.scanners)
              if source.lane not in (None, *digits)]  # fmt: skip
    found += [f"lane {lane.digit} is a check lane and has no gun that a gateway could open" for lane in settings.lanes
              if lane.kind == "check" and lane.gateway_unit is not None]  # fmt: skip
    if settings.scanner.prefix in settings.scanner.suffix:
        found.append("scanner.suffix: must not hold the prefix")
    return found


def _twice(settings: Settings, what: str) -> bool:
    values = [value for lane in settings.lanes if (value := getattr(lane, what)) is not None]
    return len(set(values)) < len(values)


def trusted_regulators(settings: Settings, data: Path) -> tuple[VerifyingKey, ...]:
    """The authorities' keys that this station trusts to unlock it; raises SettingsError."""
    if settings.trust.regulators is None:
        return ()
    file = data / settings.trust.regulators
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
        return tuple(parse_vkey(line) for line in lines if line and not line.startswith("#"))
    except OSError as error:
        raise SettingsError(f"The trust list {file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, KeyFormatError) as error:
        raise SettingsError(f"The trust list {file} has a line that is no verifying key: {error}.") from error


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    """TOML has lists, our data tuples."""
    return {key: _as_tuple(value) for key, value in table.items()}


def _as_tuple(value: Any) -> Any:
    if isinstance(value, dict):
        return _tuples(value)
    return tuple(value) if isinstance(value, list) else value


_PLAIN = {
    "extra_forbidden": "there is no such setting; each one is explained in the file that `station-agent enrol` writes",
    "missing": "must be there",
    "string_pattern_mismatch": "does not have the form that is explained in the file that `station-agent enrol` writes",
}


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    within = {fault["loc"][0] for fault in faults if len(fault["loc"]) > 1}
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {_PLAIN.get(fault['type'], fault['msg'])}"
        for fault in faults
        if fault["type"] != "too_short" or fault["loc"][0] not in within  # a table with a mistake counts as none
    )


def settings_text(url: str, lanes: list[LaneSettings], scales: ScaleSettings, ca_file: Path | None) -> str:
    """A first settings file, with every key explained."""
    tables = "\n".join(
        f'[[lanes]]\ndigit = {lane.digit}\nscale_id = "{lane.scale_id}"\nunit = {lane.unit}\n' for lane in lanes
    )
    trust = f"ca_file = '{ca_file.resolve()}'" if ca_file else '# ca_file = "service-ca.pem"'
    return _FIRST.format(url=url, trust=trust, host=scales.host, port=scales.port, driver=scales.driver, lanes=tables)


_FIRST = """\
# Settings of the station agent (充装站代理). Start it with: station-agent run --config THIS-FILE

# The service (云端服务).
service_url = "{url}"
# A PEM file of the certificate authority to trust alone, for a service inside a closed network.
{trust}

# Folder of the journal, the replica, the device's key and token, relative to this file. Keep it on a local disk and
# let nobody else read it.
data = "."

[scales]                        # 充装秤: the scales of this station answer at one Modbus TCP address
host = "{host}"
port = {port}
# Or on one serial cable (Modbus RTU), in place of host and port: "/dev/ttyUSB0", "COM3".
# serial = "COM3"
# baud = 9600                   # bits per second (波特率)
# parity = "N"                  # N none, E even, O odd (校验)
# stop_bits = 1                 # 1 or 2 (停止位)
# How long one answer may take, in milliseconds.
# timeout_ms = 500
# Register map of the scales: the name of a shipped one ("demo-scale"), or the path of your own .toml file, which
# `station-agent check-driver FILE` tries out.
driver = "{driver}"

# Further cables or addresses (其他连接), one table each, with the same keys as [scales] and a name that lanes give.
# [[links]]
# name = "rs485"
# serial = "/dev/ttyUSB0"
# driver = "my-scale.toml"

[scanner]                       # 扫码枪: keyboard wedges typing into this terminal
# Each scanner is set up to type this character and its lane's digit before the content, and Enter after it.
prefix = "~"
# Any one of these characters ends a scan (Enter); \\t is Tab.
# suffix = "\\r\\n"
# The longest pause between two keys of a scanner, in milliseconds; whatever comes slower was typed by a person.
# inter_key_ms = 50
# Whom a badge signs on: "lane" = the filler at the lane of that scanner; "all" = one filler for all lanes.
sign_on = "lane"
# Hosts whose links carry our codes (气瓶码链接的主机), as the service has them.
# hosts = ["id.pinglian.example"]
# Numbers that cylinders carry from before (旧码), one form each: digits, letters, hex or any, with their count.
# legacy_forms = ["province=ZJ{{digits:12}}"]

# Scanners that do not type into this terminal (串口、网络或独占键盘的扫码枪), one table each.
# `station-agent scanner-test` asks each of them for the test sheet and says what is set wrongly.
# [[scanners]]
# kind = "serial"               # serial: RS-232, USB-COM · tcp: we connect to it · listen: it connects to us ·
#                               # keyboard: Linux only, its keys for us alone, whatever window has the focus
# name = "gun 1"                # how messages call it; otherwise its port
# lane = 1                      # whose cylinders it scans; without it the scanner sends the prefix and a lane's digit
# serial = "/dev/ttyACM0"       # of kind serial, also "COM4", with baud, parity and stop_bits as in [scales]
# baud = 9600
# parity = "N"
# stop_bits = 1
# host = "192.168.1.20"         # of kind tcp: the scanner's address; of kind listen: ours, on which we listen
# port = 9004
# device = "/dev/input/by-id/usb-…-event-kbd"   # of kind keyboard
# prefix = ""                   # text that it sends before the content, and …
# suffix = ""                   # … after it; a scan without them is dropped
# terminator = "\\r\\n"         # any one of these characters ends a scan; "" = a pause does
# framed = false                # true: the content stands between STX and ETX
# inter_key_ms = 500            # longest pause inside a scan; for a keyboard 50
# repeat_ms = 0                 # the same again within so many milliseconds is one scan (RFID readers repeat)

# Filling machines whose own HMI or PLC opens the gun ask here for a permit (充装许可网关), over Modbus TCP.
# A lane that is asked for in this way names its unit id with gateway_unit.
# [gateway]
# host = "127.0.0.1"            # our address on the machines' network; let nobody else into that network
# port = 1503

[shift]                         # 班次
# A lane left alone for so long signs its people off (离岗自动签退).
leave_after_minutes = 20

[ticket]                        # 挂牌票: printed for every cylinder that goes to a rack
# A printer's device or a file, to which each ticket is written; without it tickets are only shown.
# printer = "/dev/usb/lp0"       # on Windows '\\\\.\\LPT1', or a shared one: '\\\\pc\\printer'
# "text" = lines of UTF-8, the QR symbol in block characters; "escpos" = receipt printers (GB 18030, raster symbol).
# kind = "text"

[trust]                         # 信任名单: whose word lets filling go on after a lock (监管解锁)
# A file of the authorities' verifying keys, one a line, in the data folder. Take the keys from the authority itself and
# not from the service. A lock counts whoever signed it; without this file nothing but its own end lifts one here.
# regulators = "regulators.vkeys"

# One table per lane (工位): the digit its scanner types, the scale as the service knows it, its Modbus unit id.
# link = "rs485" names the cable or address of its scale, if that is not [scales].
# gateway_unit = 1 gives its gun to an HMI or PLC, which asks the [gateway] as this unit.
# kind = "check" makes it a lane that only weighs full cylinders again (复检工位) and never opens a valve.
{lanes}"""
