"""A PostgreSQL that a test may stop in every way and start again, and a line to it that loses an answer."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg

from servers.keeper import free_port, kept
from servers.postgres import (
    DRIVER,
    DURABLE,
    UP_WITHIN_S,
    base_folder,
    initialise,
    lay_out_for_nobody,
    package_folder,
    server_command,
    wait_until_up,
)


class StoppablePostgres:
    """One server at one address, whatever happens to its processes."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._as_root = os.geteuid() == 0
        self._folder = folder
        self._binaries = lay_out_for_nobody(folder) if self._as_root else package_folder() / "pginstall" / "bin"
        self._data = initialise(self._binaries, folder, self._as_root)
        port = free_port()
        self._command = server_command(self._binaries, self._data, port, settings)
        self.url = f"{DRIVER}://postgres@127.0.0.1:{port}/postgres"
        self._running = ExitStack()
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        deadline = time.monotonic() + UP_WITHIN_S
        while True:
            # Backends of a killed postmaster end by themselves, but not at once, and nobody may start beside them.
            with contextlib.suppress(RuntimeError):
                self._start_once()
                return
            self.close()
            assert time.monotonic() < deadline, "PostgreSQL did not come up again"

    def _start_once(self) -> None:
        run = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))
        if self._as_root:
            run.chmod(0o755)
        self._keeper = self._running.enter_context(kept(self._command, run, as_nobody=self._as_root))
        wait_until_up(self.url, self._keeper, run / "log")

    def stop(self, how: signal.Signals) -> None:
        """SIGINT: fast, what runs is broken off. SIGQUIT: immediate, as a crash. SIGKILL: the postmaster is gone."""
        assert self._keeper is not None
        os.kill(int((self._data / "postmaster.pid").read_text().split("\n")[0]), how)
        self._keeper.wait(UP_WITHIN_S)

    def close(self) -> None:
        """Stop it, if it still runs."""
        self._running.close()


@contextlib.contextmanager
def stoppable_postgres(settings: Mapping[str, str] = DURABLE) -> Iterator[StoppablePostgres]:
    """A started server; leaving the block stops it and removes what it stored."""
    folder = Path(tempfile.mkdtemp(prefix="pinglian-postgres-", dir=base_folder() if os.geteuid() == 0 else None))
    try:
        server = StoppablePostgres(folder, settings)
        try:
            server.start()
            yield server
        finally:
            server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class LosingLine:
    """Stands between a client and PostgreSQL, and keeps what the client said.

    Once told to, it loses the answer to the next COMMIT and hangs up.
    """

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.lose_next = threading.Event()
        self.said: list[list[bytes]] = []
        """For each connection what the client said, parted by the server's answers."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._to)
                losing, said = threading.Event(), [b""]
                self.said.append(said)
                threading.Thread(target=self._ask, args=(client, server, losing, said), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client, losing, said), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, losing: threading.Event, said: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                said[-1] += data
                if b"COMMIT" in data and self.lose_next.is_set():
                    self.lose_next.clear()
                    losing.set()
                server.sendall(data)
        _hang_up(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, losing: threading.Event, said: list[bytes]) -> None:
        with contextlib.suppress(OSError):
            while (data := server.recv(65536)) and not losing.is_set():
                if said[-1]:
                    said.append(b"")
                client.sendall(data)
        _hang_up(client, server)


def _hang_up(*lines: socket.socket) -> None:
    for line in lines:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.close()


def cut_all_others(url: str) -> None:
    """End every connection to the database but this one."""
    with psycopg.connect(url.replace(DRIVER, "postgresql", 1), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
