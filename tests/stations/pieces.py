"""A station as real processes: the scale simulator, the agent, and the hands and scanners of its people."""

import ctypes
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from station_agent.cli import main as command_line
from stations.nursery import Nursery

BIN = Path(sys.executable).parent
PATIENCE_S = 60.0
Line = dict[str, Any]


class Scales:
    """The simulator process, its world port and its own log."""

    def __init__(self, folder: Path, *, scales: int = 8, time_factor: float = 60) -> None:
        self.log = folder / "scales.jsonl"
        ready = folder / "scales-ready.json"
        command = [
            BIN / "station-agent", "simulate-scale", "--port", "0", "--world-port", "0", "--log", self.log,
            "--scales", str(scales), "--time-factor", str(time_factor), "--ready-file", ready,
        ]  # fmt: skip
        self._process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
        try:
            wait_until(ready.exists, "the scales are ready")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        ports = json.loads(ready.read_text())
        self.port: int = ports["port"]
        self._socket = socket.create_connection(("127.0.0.1", ports["world_port"]))
        self._answers = self._socket.makefile("r", encoding="utf-8")
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._lines: list[Line] = []
        self._read_to = 0

    def act(self, scale: int, **wish: Any) -> Line:
        """The operator's hands."""
        with self._lock:
            self._socket.sendall(json.dumps({"scale": scale, **wish}).encode() + b"\n")
            answer: Line = json.loads(self._answers.readline())
        assert answer["ok"], answer
        return answer

    def place(self, scale: int, label: str, empty_g: int = 16_600) -> None:
        """Put a cylinder on a scale, taking away what stood there."""
        if self.standing(scale):
            self.act(scale, remove=True)
        self.act(scale, place={"label": label, "empty_g": empty_g})

    def standing(self, scale: int) -> str | None:
        """The label of what stands on a scale, by the log."""
        label = None
        for line in self.lines(scale):
            if line["event"] in ("placed", "removed"):
                label = line["label"] if line["event"] == "placed" else None
        return label

    def lines(self, scale: int | None = None, *events: str) -> list[Line]:
        """The simulator's own log."""
        with self._reading, self.log.open("rb") as log:
            log.seek(self._read_to)
            for text in log:
                if text.endswith(b"}\n"):  # the last one may not be whole yet
                    self._lines.append(json.loads(text))
                    self._read_to += len(text)
            lines = list(self._lines)
        return [line for line in lines if scale in (None, line["scale"]) and (not events or line["event"] in events)]

    def openings(self, label: str) -> int:
        """How often the valve was opened for a cylinder."""
        return sum(line["label"] == label for line in self.lines(None, "valve_opened"))

    def valve_is_open(self, scale: int) -> bool:
        """By the log alone."""
        moves = self.lines(scale, "valve_opened", "valve_shut")
        return bool(moves) and moves[-1]["event"] == "valve_opened"

    def gross_g(self, scale: int) -> int:
        """The last weight logged."""
        return int(self.lines(scale)[-1]["gross_g"])

    def stop(self) -> None:
        self._answers.close()
        self._socket.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_S)


class Agent:
    """`station-agent run --headless` with its scanners' keyboard and the lines it prints."""

    def __init__(
        self,
        config: Path,
        nursery: Nursery | None = None,
        *,
        dies_at: str | None = None,
        until_ready: bool = True,
        clock: Path | None = None,
    ) -> None:
        """Out of a nursery it starts at once, can be made to die at a point, and have its clock set by a file."""
        self.config = config
        self.said: list[Line] = []
        words = ["run", "--headless", "--config", str(config)]
        log = config.parent / "agent.err"
        self._process = nursery.bear(words, log, dies_at, clock) if nursery else _started(words, log)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._typing = threading.Lock()
        if until_ready:
            self.wait_for("ready")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            self.said.append(json.loads(text))

    def type(self, lane: int, content: str) -> None:
        """One burst of a scanner."""
        assert self._process.stdin is not None
        with self._typing:
            self._process.stdin.write(f"~{lane}{content}\r".encode())
            self._process.stdin.flush()
            time.sleep(0.003)

    def lines(self, event: str, lane: int | None = None) -> list[Line]:
        """What it said of one kind."""
        return [line for line in list(self.said) if line["event"] == event and lane in (None, line["lane"])]

    def wait_for(self, *events: str, lane: int | None = None, after: int = 0, patience_s: float = PATIENCE_S) -> Line:
        """The first such line behind the first `after` lines it said."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for line in self.said[after:]:
                if line["event"] in events and lane in (None, line["lane"]):
                    return line
            assert self._process.poll() is None or self._reader.is_alive(), self._errors()
            time.sleep(0.005)
        raise AssertionError(f"no {events} of lane {lane}: {self.said[after:][-8:]} {self._errors()}")

    def scan(self, lane: int, content: str, *until: str) -> Line:
        """Scan and wait for the end of the act."""
        after = len(self.said)
        self.type(lane, content)
        return self.wait_for(*(until or ("filled", "refused", "fault")), lane=lane, after=after)

    @contextmanager
    def no_room_on_disk(self) -> Iterator[None]:
        """The disk is full for this process: a limit on the size of files, beyond which every write fails."""
        soft, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (1, hard))
        try:
            yield
        finally:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill -9."""
        self._process.kill()
        self._end()

    def dies(self) -> None:
        """Wait for the end that it was to come to by itself."""
        self._end()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._end()

    def hang_up(self) -> int:
        """Pull the keyboard; its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._end()

    def _end(self) -> int:
        status = self._process.wait(PATIENCE_S + 20)
        self._reader.join(PATIENCE_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return status

    def _errors(self) -> str:
        return (self.config.parent / "agent.err").read_text("utf-8")[-1500:]


def _started(words: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as errors:
        command = [str(BIN / "station-agent"), *words]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)


@dataclass
class Place:
    """A station's folder and what runs in it."""

    folder: Path
    scales: Scales
    stack: ExitStack
    agents: list[Agent] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "agent" / "station.toml"

    @property
    def data(self) -> Path:
        return self.folder / "agent"

    def enrol(self, url: str, code: str) -> None:
        """Enrol this machine over HTTP, as a person would."""
        run_here("enrol", "--url", url, "--code", code, "--data", self.data, "--scale-port", self.scales.port)

    def start(
        self,
        nursery: Nursery | None = None,
        *,
        dies_at: str | None = None,
        until_ready: bool = True,
        clock: Path | None = None,
    ) -> Agent:
        """Start the agent."""
        agent = Agent(self.config, nursery, dies_at=dies_at, until_ready=until_ready, clock=clock)
        self.agents.append(agent)
        self.stack.callback(agent.stop)
        return agent

    def status(self) -> Line:
        """`station-agent status --json`"""
        answer: Line = json.loads(run_here("status", "--data", self.data, "--json"))
        return answer


def run(*words: object, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run one command of the agent to its end."""
    command = [str(BIN / "station-agent"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    assert check is None or done.returncode == check, (done.returncode, done.stdout, done.stderr)
    return done


def run_as_owner(*words: object) -> subprocess.CompletedProcess[str]:
    """Run one command to its end as a user who may do what the modes of files say and no more, also if that is root."""
    command = [str(BIN / "station-agent"), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=_without_override, timeout=60
    )


def _without_override() -> None:
    """Root reads and writes what the modes forbid by two capabilities: let both go (Linux)."""
    drop, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        _LIBC.prctl(drop, capability, 0, 0, 0)


_LIBC = ctypes.CDLL(None)


def run_here(*words: object) -> str:
    """What a command of the agent prints, without a second for a process of its own; it must end well."""
    said = io.StringIO()
    with redirect_stdout(said):
        status = command_line(list(map(str, words)))
    assert status == 0, (status, said.getvalue())
    return said.getvalue()


@contextmanager
def station_in(folder: Path, **scales: Any) -> Iterator[Place]:
    """A station's scales and folder; whatever is started in it is stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        simulator = Scales(folder, **scales)
        stack.callback(simulator.stop)
        yield Place(folder, simulator, stack)


def wait_until(holds: Any, what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"it never came to be that {what}"
        time.sleep(0.01)
