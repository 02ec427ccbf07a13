"""Killed at every named point of the group commit, of publishing, of what witnesses say, and of opening.

The points stand in `laws.crash_points`; docs/faults.md tells what each of them leaves behind.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from witness_house import W1

from cylinder_codes.keys import format_vkey
from cylinder_trace.checkpoint import Checkpoint, sign_checkpoint
from cylinder_trace.cosignature import format_cosigner_key
from cylinder_trace.merkle import leaf_hash
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import publishing_of
from cylinder_trace.store.witness_files import WitnessFiles
from cylinder_trace.store.witness_server import Witness, WitnessServer
from cylinder_trace.witnessing import AddCheckpoint, Status, format_request
from laws import crash, writing
from laws.crash_points import BY_NAME, POINTS, CrashPoint, Stage, arm_at
from laws.own_server import template_on
from laws.writing import Life
from ledgers.homes import KEY, Home
from servers.postgres import fresh_database

_HOMES = ("sqlite", "postgresql")
_BEFORE = 250
"""Entries that are published before: the threads then soon fill the first tile."""


def on_its_homes(*stages: Stage) -> pytest.MarkDecorator:
    cases = [
        pytest.param(point, kind, id=f"{point.name}-{kind}")
        for point in POINTS
        for kind in _HOMES
        if point.stage in stages and point.home in ("", kind)
    ]
    return pytest.mark.parametrize(("point", "kind"), cases)


@pytest.fixture(scope="module")
def template(postgres_server: str) -> Iterator[str]:
    with template_on(postgres_server) as name:
        yield name


@pytest.fixture
def home(kind: str, point: CrashPoint, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """A home of the kind; one that is still to be opened for the first time has no tables yet."""
    folder = tmp_path / "data"
    folder.mkdir()
    if kind == "sqlite":
        yield Home(f"sqlite:///{folder}/ledger.db", folder)
        return
    copied = () if point.stage == "opening" else (request.getfixturevalue("template"),)
    with fresh_database(request.getfixturevalue("postgres_server"), *copied) as url:
        yield Home(url, folder)


def die_at(point: CrashPoint, home: Home, before: int = _BEFORE) -> Path:
    """Let a writer live until it comes to the point; the file of its receipts."""
    acknowledged = home.folder / "acknowledged"
    writer = writing.begin(Life(home, acknowledged, before, point.name))
    try:
        writer.join(60)
    finally:
        exited = writer.exitcode
        writer.kill()  # one that never came to the point must not load the machine for the tests after it
        writer.join()
    assert exited == -signal.SIGKILL, f"the writer did not come to {point.name}"
    return acknowledged


@on_its_homes("writing")
def test_killed_while_it_writes_the_ledger_loses_and_doubles_nothing(point: CrashPoint, home: Home) -> None:
    stored = crash.survives(home, die_at(point, home), point.name)
    if point.stored != "unknown":
        assert any(stored) == (point.stored == "yes")


@on_its_homes("witnessed")
def test_killed_while_a_witness_cosigns_its_line_is_there_after_the_next_start(
    point: CrashPoint, home: Home, tmp_path: Path
) -> None:
    with witness_at_work(tmp_path / "witness") as url:
        asked = f"witness {W1.name} {format_cosigner_key(W1.verifying_key)} {url}\nquorum {W1.name}\n"
        (home.folder / "witnesses.policy").write_text(f"log {format_vkey(KEY.verifying_key)}\n{asked}")
        crash.survives(home, die_at(point, home), point.name)
        with Ledger(home.url, home.folder, KEY, home.clock, publishing_of(home.folder)):
            soon(lambda: W1.name in (home.folder / "log" / "checkpoint").read_text(encoding="utf-8"))


@contextmanager
def witness_at_work(folder: Path) -> Iterator[str]:
    """The address of a witness that outlives the writers."""
    with WitnessServer(("127.0.0.1", 0), witness_in(folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def soon(happened: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@on_its_homes("opening")
def test_killed_while_it_opens_it_opens_the_next_time(point: CrashPoint, home: Home) -> None:
    acknowledged = home.folder / "acknowledged"
    if point.stored == "unknown":  # the first life ended with the file behind the database
        acknowledged = die_at(BY_NAME["after_checkpoint_row_before_file"], home)
    die_at(point, home)
    with home.open():
        pass
    crash.survives(home, acknowledged, point.name)


@pytest.mark.parametrize("point", [point for point in POINTS if point.stage == "witness"], ids=lambda point: point.name)
def test_a_witness_killed_while_it_cosigns_stands_by_one_history(point: CrashPoint, tmp_path: Path) -> None:
    died = writing.fork(asked_and_killed, point.name, tmp_path)
    died.join(60)
    assert died.exitcode == -signal.SIGKILL
    assert (WitnessFiles(tmp_path).last(KEY.name) is not None) == (point.stored == "yes")
    again = witness_in(tmp_path)
    old = 1 if point.stored == "yes" else 0
    assert again.add_checkpoint(request(old, b"one history")).status == Status.COSIGNED
    assert again.add_checkpoint(request(1, b"another history")).status == Status.OTHER_HISTORY


def asked_and_killed(point: str, folder: Path) -> None:
    arm_at(point)
    witness_in(folder).add_checkpoint(request(0, b"one history"))


def witness_in(folder: Path) -> Witness:
    return Witness([W1], {KEY.name: [KEY.verifying_key]}, WitnessFiles(folder), lambda: 1_790_000_000)


def request(old: int, only_entry: bytes) -> bytes:
    checkpoint = Checkpoint(origin=KEY.name, size=1, root=leaf_hash(only_entry))
    return format_request(AddCheckpoint(old, (), sign_checkpoint(checkpoint, KEY))).encode()


def test_tiles_and_the_folders_that_name_them_are_flushed_before_their_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test can cut the power: it looks at what is handed to the disk instead."""
    flushed: set[Path] = set()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    files = LogFiles(tmp_path / "log")
    for old, count in [(0, 3), (3, 250), (253, 10), (263, 600)]:
        flushed.clear()
        before = set(tmp_path.rglob("*"))
        files.grow(old, [bytes([number % 256]) * 32 for number in range(count)])
        made = set(tmp_path.rglob("*")) - before
        assert {path.parent for path in made} <= flushed
