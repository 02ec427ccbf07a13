"""The disk is full: nothing acknowledged is lost, the sentence is clear, and with room again the same ledger goes on.

A limit on the size of files stands for the full disk: it works everywhere, and writing beyond it fails as there.
"""

import logging
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from laws import writing
from laws.crash import promised_in
from laws.sound import assert_kept, assert_nothing_doubled, assert_published, assert_replays, assert_sound
from laws.writing import line_of
from ledgers.homes import Home, registered, returned

_CLEAR = ("nothing of this was recorded", "ask again with the same id")


class Heard(logging.Handler):
    """What the ledger logs in this process."""

    said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def in_its_process(act: Callable[[Home], None], home: Home) -> None:
    """Do `act`, and hear what the ledger logs."""
    logging.getLogger("cylinder_trace").addHandler(Heard())
    act(home)


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """In this process no file grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def soon(happened: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def in_a_process(act: Callable[[Home], None], home: Home) -> None:
    """Limits count for a whole process, so each story has one of its own."""
    process = writing.fork(in_its_process, act, home)
    process.join(120)
    assert process.exitcode == 0, "the story ended badly; its traceback stands above"
    with home.open() as ledger:
        assert_kept(ledger, promised_in(home.folder / "acknowledged"), "full disk")
        assert_published(home, ledger, "full disk")
        assert_nothing_doubled(ledger, "full disk")
        assert_replays(ledger, "full disk")
    assert_sound(home, "full disk")


def note(home: Home, ledger: Ledger, number: int, turn: str) -> None:
    """Append, and note the receipt as acknowledged; raises StoreError."""
    receipts = ledger.append([returned(number, f"{turn}.{part}") for part in range(8)])
    with (home.folder / "acknowledged").open("a") as file:
        file.write("".join(f"{line_of(receipt)}\n" for receipt in receipts))


def warned(words: str) -> bool:
    """Whether the publisher of this process has said so."""
    return any(words in said for said in Heard.said)


def alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_sqlite_on_a_full_disk_refuses_clearly_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    in_a_process(sqlite_fills_up, Home(f"sqlite:///{tmp_path}/ledger.db", tmp_path))


def sqlite_fills_up(home: Home) -> None:
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(200)])
        ledger.publisher.publish()
        with no_file_beyond((home.folder / "ledger.db-wal").stat().st_size + 40_000):
            said = refusals(home, ledger, 5)
            assert all(any(clear in sentence for clear in _CLEAR) for sentence in said), said
            assert ledger.reader.size() >= 200, "reading goes on"
        for turn in range(20):
            note(home, ledger, turn, f"again.{turn}")
        assert alive("group-commit")
        assert ledger.publisher.wait_published(ledger.reader.size(), timeout_s=30)


def refusals(home: Home, ledger: Ledger, count: int) -> list[str]:
    """Append until so many were refused, each under the id it has at the next try as well."""
    said: list[str] = []
    turn = 0
    while len(said) < count:
        try:
            note(home, ledger, turn % 200, f"r{turn}")
            turn += 1
        except StoreError as error:
            said.append(str(error))
    return said


def test_no_room_for_tiles_delays_publishing_and_nothing_else(postgres_url: str, tmp_path: Path) -> None:
    in_a_process(no_room_for_tiles, Home(postgres_url, tmp_path))


def test_no_room_for_the_public_file_delays_it_and_nothing_else(postgres_url: str, tmp_path: Path) -> None:
    in_a_process(no_room_for_the_checkpoint, Home(postgres_url, tmp_path))


def no_room_for_tiles(home: Home) -> None:
    no_room_in_the_log(home, 200, 1000)


def no_room_for_the_checkpoint(home: Home) -> None:
    no_room_in_the_log(home, 1, 150)


def no_room_in_the_log(home: Home, entries: int, limit: int) -> None:
    with home.open() as ledger:
        ledger.append([registered(number) for number in range(entries)])
        ledger.publisher.publish()
        shown = (home.folder / "log" / "checkpoint").read_text()
        with no_file_beyond(limit):
            receipts = ledger.append([registered(10_000)])
            soon(lambda: warned("checkpoint not published"))
            assert (home.folder / "log" / "checkpoint").read_text() == shown, "half of a file is never shown"
        (home.folder / "acknowledged").write_text(f"{line_of(receipts[0])}\n")
        assert alive("publisher")
        # nothing more is recorded: the publisher goes on by itself
        soon(lambda: f"\n{entries + 1}\n" in (home.folder / "log" / "checkpoint").read_text())
        assert not list((home.folder / "log").rglob(".*.new")), "what could not be written takes up no room"
