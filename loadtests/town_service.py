"""The service with a generated town in it, and what a client may know of it: base URL, tokens, one station."""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from load_stations import Station, station_of
from processes import free_port, running_server

API = Path(sys.executable).with_name("cylinder-api")
_BEHIND = ("pinglian_lists_behind_entries", "pinglian_epcis_behind_entries")
_READY_S = 600
"""A large town takes its time."""


class AccessError(Exception):
    """The service, its data folder or its access file is not what load needs; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Town:
    """A running service: where it listens, where its data lies, and its process if it is one of ours."""

    base_url: str
    data: Path
    pid: int = 0

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.base_url).port or 80


@contextmanager
def running_town(folder: Path, cylinders: int, port: int | None = None) -> Iterator[Town]:
    """Generate a town below `folder` and serve it on 127.0.0.1 until the block ends; raises ServerError."""
    chosen = free_port(port or 0)
    base_url, data = f"http://127.0.0.1:{chosen}", folder / "data"
    command = [
        str(API), "serve", "--demo", "--data", str(data), "--cylinders", str(cylinders), "--port", str(chosen),
    ]  # fmt: skip
    with running_server(command, f"{base_url}/readyz", folder / "cylinder-api.log", _READY_S) as pid:
        yield Town(base_url, data, pid)


def town_at(base_url: str, data: Path) -> Town:
    """The service that runs at `base_url` with its data in `data`; raises AccessError when it is not there."""
    town = Town(base_url.rstrip("/"), data)
    _get(town, "/readyz", {})
    return town


def station_in(town: Town) -> Station:
    """The enrolled demo station of the town, as its replica shows it; raises AccessError."""
    access = _access(town.data)
    token, station_id = access["tokens"]["station"], access["station"]["station_id"]
    replica = replica_of(town, station_id, token)
    station = station_of(town.base_url, token, replica)
    if not (station.scales and station.workers and station.cylinders):
        raise AccessError(f"station {station_id} has no scale, no worker or no cylinder: seed a larger town")
    return station


def bearer(town: Town, role: str) -> dict[str, str]:
    """The header by which a generated account of this role is known; raises AccessError."""
    return {"Authorization": f"Bearer {token_in(town, role)}"}


def token_in(town: Town, role: str) -> str:
    """The token of a generated account of this role; raises AccessError."""
    token: str = _access(town.data)["tokens"][role]
    return token


def log_vkey(town: Town) -> str:
    """The log's public key, its name in front; raises AccessError."""
    vkey: str = _access(town.data)["log_vkey"]
    return vkey


def enrol_device(town: Town, station_id: str, vkey: str) -> dict[str, str]:
    """Let one more device of the station in; its id and its token. Raises AccessError."""
    code = post(town, "/v1/devices/codes", bearer(town, "admin"), {"station_id": station_id})["code"]
    enrolled: dict[str, str] = post(town, "/v1/devices/enrol", {}, {"code": code, "vkey": vkey})
    return enrolled


def ask_token(town: Town, assertion: str) -> str:
    """The token of the system that signed `assertion` (RFC 7523); raises AccessError."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    token: str = _answer(town, "POST", "/oauth/token", {}, data=form)["access_token"]
    return token


def replica_of(town: Town, station_id: str, token: str) -> Any:
    """What the station must know to decide alone; raises AccessError."""
    return _get(town, f"/v1/stations/{station_id}/replica", {"Authorization": f"Bearer {token}"})


def entries_behind(town: Town) -> int:
    """How many entries what follows the log (lists, EPCIS) has not followed yet; raises AccessError."""
    text = _sent(town, "GET", "/metrics", bearer(town, "auditor")).text
    return int(max(float(line.split()[1]) for line in text.splitlines() if line.startswith(_BEHIND)))


def _access(data: Path) -> Any:
    path = data / "demo-access.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AccessError(f"cannot read {path}: it is written by cylinder-api serve --demo") from error


def _get(town: Town, path: str, headers: dict[str, str]) -> Any:
    return _answer(town, "GET", path, headers)


def post(town: Town, path: str, headers: dict[str, str], body: object) -> Any:
    """The answer to a write; raises AccessError."""
    return _answer(town, "POST", path, {**headers, "Idempotency-Key": secrets.token_hex(16)}, json=body)


def _answer(town: Town, method: str, path: str, headers: dict[str, str], **content: Any) -> Any:
    return _sent(town, method, path, headers, **content).json()


def _sent(town: Town, method: str, path: str, headers: dict[str, str], **content: Any) -> httpx.Response:
    url = f"{town.base_url}{path}"
    try:
        answer = httpx.request(method, url, headers=headers, timeout=60, **content)
    except httpx.HTTPError as error:
        raise AccessError(f"nothing answers on {town.base_url}: {error}; is the service running?") from error
    if not answer.is_success:
        raise AccessError(f"{url} answered {answer.status_code}: is this the service of {town.data}?")
    return answer
