"""A station to try, beside `make serve`: `make scales` in a second terminal, `make station` in a third.

`scales` plays one filling scale and the hands of the operator: it puts generated cylinders on the platform, good ones
and ones that must be refused, and says which code is on the one that stands there. `station` makes this machine, once,
a device of the generated station, and runs the agent with one lane.
"""

import argparse
import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

STATION_AGENT = Path(sys.executable).with_name("station-agent")
_READY_S = 20.0
_PIN = "2468"
_REFUSED = ("R32", "R20", "R30", "R10")
"""Planted cylinders that a newcomer meets first: black, overdue, scrapped, another company's."""


class TryError(Exception):
    """It cannot go on; the text says what to do."""


class Cylinder(NamedTuple):
    """One that comes onto the platform: the code on it, what it weighs, and what should become of it."""

    code: str
    empty_g: int
    expected: str

    def __str__(self) -> str:
        return f"{self.code}   {self.empty_g / 1000:.2f} kg   {self.expected}"


def main() -> int:
    """Run one of the two commands; 2 when it cannot go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("scales", "station"))
    parser.add_argument("--data", type=Path, default=Path(".data"), help="data folder of `make serve` (default .data)")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where it listens (default %(default)s)")
    parser.add_argument("--scale-port", type=int, default=1502, help="Modbus port of the scale (default %(default)s)")
    options = parser.parse_args()
    try:
        return {"scales": play_scale, "station": run_station}[options.what](options)
    except TryError as trouble:
        print(trouble, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


# ---------------------------------------------------------------- the scale and the operator's hands


def play_scale(options: argparse.Namespace) -> int:
    """Play the scale until `q` or the end of the input; each Enter puts the next cylinder on it."""
    folder = station_folder(options.data)
    ready = folder / "scale-ready.json"
    command = [
        str(STATION_AGENT), "simulate-scale", "--scales", "1", "--port", str(options.scale_port),
        "--log", str(folder / "scale.jsonl"), "--ready-file", str(ready),
    ]  # fmt: skip
    yard = cylinders(options.data)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, process_group=0) as scale:
        try:
            hands = Hands(_world_port(scale, ready))
            print("Type these codes at `make station`. Enter: the next cylinder · q: end\n", flush=True)
            for cylinder in yard:
                hands.put(cylinder)
                print(f"秤上 on the scale: {cylinder}", flush=True)
                if sys.stdin.readline() in ("", "q\n"):
                    break
        finally:
            scale.terminate()
    return 0


class Hands:
    """Puts cylinders on the platform through the simulator's world port."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._answers = self._socket.makefile("r", encoding="utf-8")
        self._occupied = False

    def put(self, cylinder: Cylinder) -> None:
        """Take away what stands there, and put this one on."""
        if self._occupied:
            self._wish({"remove": True})
        self._wish({"place": {"label": cylinder.code, "empty_g": cylinder.empty_g}})
        self._occupied = True

    def _wish(self, wish: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps({"scale": 1, **wish}).encode() + b"\n")
        answer = json.loads(self._answers.readline())
        if not answer["ok"]:
            raise TryError(f"The scale refuses: {answer['error']}.")


def cylinders(data: Path) -> Iterator[Cylinder]:
    """Two good ones, then one of each that must be refused among the good ones; for ever."""
    key = _answer_key(data)
    good = [Cylinder(one["code"], one["empty_gross_g"], "应可充 should be filled") for one in key["good"]]
    bad = [
        Cylinder(scan["code"], scan["empty_gross_g"], f"应禁充 should be refused: {scan['kind']}")
        for reason in _REFUSED
        for scan in key["planted"]
        if scan["expected_reasons"] == [reason] and "code" in scan
    ]
    while True:
        for number, cylinder in enumerate(good):
            yield cylinder
            if number % 2:
                yield bad[number // 2 % len(bad)]


def _world_port(scale: "subprocess.Popen[bytes]", ready: Path) -> int:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and scale.poll() is None:
        if ready.exists():
            port: int = json.loads(ready.read_text("utf-8"))["world_port"]
            return port
        time.sleep(0.05)
    raise TryError("The scale does not start: is its port in use? Choose another with SCALE_PORT=…")


# ---------------------------------------------------------------- the station


def run_station(options: argparse.Namespace) -> int:
    """Enrol once, say what to type, and run the agent."""
    folder = station_folder(options.data)
    config = folder / "station.toml"
    if not config.exists():
        _enrol(options, folder)
    filler = _filler_of(options.data)
    _give_pin(folder, filler)
    print(
        f"上岗 Sign on: type PL:W:{filler} and Enter, then the PIN {_PIN} and Enter.\n"
        "扫码 Scan: type the code that `make scales` shows, and Enter. 退出 Stop: Ctrl+C.",
        flush=True,
    )
    if sys.stdin.isatty():
        input("Enter to begin 按回车开始 ")
    return subprocess.run([str(STATION_AGENT), "run", "--config", str(config)], check=False).returncode


def _enrol(options: argparse.Namespace, folder: Path) -> None:
    access = _read(options.data / "demo-access.json")
    station_id = access["station"]["station_id"]
    headers = {"Authorization": f"Bearer {access['tokens']['admin']}", "Idempotency-Key": secrets.token_hex(16)}
    try:
        answer = httpx.post(
            f"{options.url}/v1/devices/codes", json={"station_id": station_id}, headers=headers, trust_env=False
        )
        code = answer.raise_for_status().json()["code"]
    except httpx.HTTPError as error:
        raise TryError(f"The service at {options.url} gives no one-time code ({error}); run `make serve`.") from error
    command = [
        str(STATION_AGENT), "enrol", "--url", options.url, "--code", code, "--data", str(folder),
        "--scale-port", str(options.scale_port),
    ]  # fmt: skip
    # What it prints is for whoever starts the agent by hand; here that follows by itself.
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise TryError("This machine could not be enrolled; the line above says why.")
    print(f"本机已入网 This machine is a device of the generated station {station_id} now.", flush=True)
    _keep_one_lane(folder / "station.toml")


def _give_pin(folder: Path, filler: str) -> None:
    """Who types a worker id and has no badge is asked for a PIN."""
    command = [str(STATION_AGENT), "pin", "--data", str(folder), "--worker", filler]
    if subprocess.run(command, input=f"{_PIN}\n{_PIN}\n", text=True, stdout=subprocess.DEVNULL, check=False).returncode:
        raise TryError("The filler could not be given a PIN; the line above says why.")


def _keep_one_lane(config: Path) -> None:
    """With a single lane nobody needs to say at which one a code is typed."""
    head, *lanes = config.read_text("utf-8").split("[[lanes]]")
    config.write_text(f"{head}[[lanes]]{lanes[0].rstrip()}\n", "utf-8")


def _filler_of(data: Path) -> str:
    planted = _answer_key(data)["planted"]
    workers: Iterator[str] = (scan["worker_id"] for scan in planted if scan["expected_reasons"] == ["R32"])
    return next(workers)


# ---------------------------------------------------------------- what `make serve` has left


def station_folder(data: Path) -> Path:
    """The station's own folder, beside the service's data."""
    if not (data / "demo-access.json").exists():
        raise TryError(f"{data} holds no generated town: run `make serve` first and leave it running.")
    folder = data / "station"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _answer_key(data: Path) -> Any:
    return _read(data / "answer-key.json")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise TryError(f"{file} cannot be read: {error.strerror}; run `make serve` first.") from error


if __name__ == "__main__":
    sys.exit(main())
