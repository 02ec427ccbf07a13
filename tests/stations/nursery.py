"""Where agents are born that are to die: one process has imported everything, and forks one agent for each asking.

An agent out of here is a process like any other and is killed like any other; it only does not take a second to start.
Run as a script it is the nursery; `Nursery` is how a test asks it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

HERE = Path(__file__).resolve()


@dataclass
class Born:
    """One agent, with what `subprocess.Popen` has of it. Nobody is told its exit status."""

    pid: int
    stdin: IO[bytes]
    stdout: IO[bytes]

    def poll(self) -> int | None:
        """0 once it has ended."""
        return None if _is_alive(self.pid) else 0

    def kill(self) -> None:
        """Kill -9."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Nothing if it has ended."""
        if _is_alive(self.pid):
            os.kill(self.pid, number)

    def wait(self, patience_s: float) -> int:
        """Wait for its end."""
        deadline = time.monotonic() + patience_s
        while _is_alive(self.pid):
            assert time.monotonic() < deadline, f"agent {self.pid} does not end"
            time.sleep(0.005)
        return 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Nursery:
    """The nursery's process, as a test has it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._asking = ours
        self._turn = threading.Lock()
        command = [sys.executable, str(HERE), str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()

    def bear(self, words: list[str], errors: Path, point: str | None = None, clock: Path | None = None) -> Born:
        """An agent with these words of a command line, that dies at `point`; the file `clock` sets its wall clock."""
        (child_in, stdin), (stdout, child_out) = os.pipe(), os.pipe()
        with errors.open("ab") as said, self._turn:
            asked = json.dumps({"words": words, "point": point, "clock": str(clock) if clock else None}).encode()
            socket.send_fds(self._asking, [asked], [child_in, child_out, said.fileno()])
            pid = int(self._asking.recv(32))
        os.close(child_in)
        os.close(child_out)
        return Born(pid, os.fdopen(stdin, "wb", buffering=0), os.fdopen(stdout, "rb"))

    def close(self) -> None:
        """No more agents."""
        self._asking.close()
        self._process.wait(20)


# ---------------------------------------------------------------- the process itself


def main() -> None:
    """Fork an agent for each message, until whoever asks has gone."""
    sys.path.insert(0, str(HERE.parents[1]))
    from stations import crash_points, set_clock  # noqa: F401 - imported before the first is born, with all of the agent

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them, so none is left behind as a zombie
    asked = socket.socket(fileno=int(sys.argv[1]))
    while True:
        text, fds, _, _ = socket.recv_fds(asked, 65_536, 3)
        if not text:
            return
        pid = os.fork()
        if pid == 0:
            asked.close()
            _live(json.loads(text), fds)
        for fd in fds:
            os.close(fd)
        asked.send(str(pid).encode())


def _live(about: dict[str, object], fds: list[int]) -> NoReturn:
    from station_agent.cli import main as agent
    from stations.crash_points import POINTS, Trap
    from stations.set_clock import set_by

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, fd in enumerate(fds):
        os.dup2(fd, place)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
    if about["point"] is not None:
        POINTS[str(about["point"])](Trap())
    if about["clock"] is not None:
        set_by(Path(str(about["clock"])))
    words = about["words"]
    assert isinstance(words, list)
    try:
        status = agent(words)
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - nothing of the child may come back into the nursery's loop
        traceback.print_exc()
        status = 1
    os._exit(status)


if __name__ == "__main__":
    main()
