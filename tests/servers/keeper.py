"""Runs one server for as long as somebody holds our standard input, then stops it and removes its folder.

Tests start servers through this process so that a test run that is killed leaves neither a server nor a
folder behind: the pipe closes with the run, whatever ended it.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

NOBODY = 65534
STOP_WITHIN_S = 20.0
_NEVER_HANDED_OUT = range(15_000, 32_000)
"""Below the ports that Linux (32768), macOS and Windows (49152) choose for whoever binds to 0 or connects."""

_CHANCE = random.SystemRandom()
"""Not the one of `random`, which simulations seed: two test runs would look at the same ports in the same order."""


@contextlib.contextmanager
def kept(command: Sequence[str], folder: Path, *, as_nobody: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in `folder`, its output in `folder/log`; stop it and remove `folder` at the end.

    The process handed out is the keeper: it ends with the server, so `poll()` tells whether the server died.
    """
    keeper = [sys.executable, str(Path(__file__)), str(folder), "nobody" if as_nobody else "caller", *command]
    # its own session: Ctrl-C must reach the tests first, which then close the pipe
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            keeper, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=STOP_WITHIN_S + 10)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free, and that nobody who leaves the choice to the system is given.

    So a server may also be stopped and started again at it while other tests run beside this one.
    """
    for port in _CHANCE.sample(_NEVER_HANDED_OUT, len(_NEVER_HANDED_OUT)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"No port of 127.0.0.1 from {_NEVER_HANDED_OUT[0]} to {_NEVER_HANDED_OUT[-1]} is free.")


def last_words(log: Path) -> str:
    """Return the end of a server's log, for the message that says why it did not come up."""
    return log.read_text(errors="replace")[-2000:] if log.exists() else "it left no log"


def _stop_when_let_go(server: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; Redis and others end as well
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(timeout=STOP_WITHIN_S)
    server.kill()


def _main(folder: str, runs_as: str, *command: str) -> int:
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    uid = NOBODY if runs_as == "nobody" else None
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )
    threading.Thread(target=_stop_when_let_go, args=(server,), daemon=True).start()
    exit_code = server.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return exit_code


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
