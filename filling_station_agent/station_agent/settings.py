"""The station's settings: one TOML file, every key explained, every mistake named at once."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cylinder_codes.identifiers import DEFAULT_HOST
from cylinder_codes.keys import KeyFormatError, VerifyingKey, parse_vkey
from cylinder_codes.legacy_forms import ScanForms, parse_legacy_forms
from cylinder_trace.values import Id


class SettingsError(Exception):
    """The settings cannot be used. The text names the file and every mistake."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ScaleSettings(_Table):
    """`[scales]`"""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 1502
    driver: str = "demo-scale"


class ScannerSettings(_Table):
    """`[scanner]`"""

    prefix: Annotated[str, Field(min_length=1, max_length=1)] = "~"
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


class Settings(_Table):
    """The whole file."""

    service_url: Annotated[str, Field(pattern=r"^https?://[^/\s]+(/[^\s]*)?$")]
    ca_file: str | None = None
    data: str = "."
    scales: ScaleSettings = ScaleSettings()
    scanner: ScannerSettings = ScannerSettings()
    shift: ShiftSettings = ShiftSettings()
    ticket: TicketSettings = TicketSettings()
    trust: TrustSettings = TrustSettings()
    lanes: Annotated[tuple[LaneSettings, ...], Field(min_length=1, max_length=10)]


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
    for what in ("digit", "scale_id", "unit"):
        values = [getattr(lane, what) for lane in settings.lanes]
        if len(set(values)) < len(values):
            raise SettingsError(f"The settings {file} cannot be used: two lanes have the same {what}.")
    return settings, (file.parent / settings.data).resolve()


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


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults)


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

[scales]                        # 充装秤: all scales of this station answer at one Modbus TCP address
host = "{host}"
port = {port}
# Register map of the scales: the name of a shipped one ("demo-scale"), or the path of your own .toml file.
driver = "{driver}"

[scanner]                       # 扫码枪: keyboard wedges typing into this terminal
# Each scanner is set up to type this character and its lane's digit before the content, and Enter after it.
prefix = "~"
# Whom a badge signs on: "lane" = the filler at the lane of that scanner; "all" = one filler for all lanes.
sign_on = "lane"
# Hosts whose links carry our codes (气瓶码链接的主机), as the service has them.
# hosts = ["id.pinglian.example"]
# Numbers that cylinders carry from before (旧码), one form each: digits, letters, hex or any, with their count.
# legacy_forms = ["province=ZJ{{digits:12}}"]

[shift]                         # 班次
# A lane left alone for so long signs its people off (离岗自动签退).
leave_after_minutes = 20

[ticket]                        # 挂牌票: printed for every cylinder that goes to a rack
# A printer's device or a file, to which each ticket is written; without it tickets are only shown.
# printer = "/dev/usb/lp0"
# "text" = lines of UTF-8, the QR symbol in block characters; "escpos" = receipt printers (GB 18030, raster symbol).
# kind = "text"

[trust]                         # 信任名单: whose word lets filling go on after a lock (监管解锁)
# A file of the authorities' verifying keys, one a line, in the data folder. Take the keys from the authority itself and
# not from the service. A lock counts whoever signed it; without this file nothing but its own end lifts one here.
# regulators = "regulators.vkeys"

# One table per lane (工位): the digit its scanner types, the scale as the service knows it, its Modbus unit id.
# kind = "check" makes it a lane that only weighs full cylinders again (复检工位) and never opens a valve.
{lanes}"""
