"""A log as plain files, and a home made anew out of them: every byte, hash and index as before, on either home."""

import functools
import http.server
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cylinder_codes.keys import SigningKey, format_signer, format_vkey, parse_signer
from cylinder_trace import cli
from cylinder_trace.audit import StoredEntry
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.events import Record
from cylinder_trace.store.database import StoreError, open_engine, parse_url
from cylinder_trace.store.files import LogFiles
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.reader import Reader
from cylinder_trace.store.sources import DatabaseSource
from cylinder_trace.tiles import tile_path
from ledgers.homes import KEY, Clock, Home, bound, condemned, registered, returned, withdrawn

VKEY = format_vkey(KEY.verifying_key)
CYLINDERS = 350


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def first_life() -> list[Record]:
    """700 entries: three bundles, the last not full; codes bound, freed by a withdrawal and bound again."""
    known = [registered(number) for number in range(CYLINDERS)]
    named = [bound(number) for number in range(CYLINDERS - 3)]
    return [*known, *named, withdrawn(7), bound(349, code="CODE7"), condemned(9)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "data"
    folder.mkdir()
    made = Home(f"sqlite:///{folder}/ledger.db", folder)
    with made.open() as ledger:
        ledger.append(first_life()[:300])
        assert ledger.publisher.wait_published(300, timeout_s=60)
        ledger.append(first_life()[300:])
    return made


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "log.key"
    path.write_text(f"{format_signer(KEY)}\n")
    return path


def grow(home: Home, first: int, count: int) -> None:
    with home.open() as ledger:
        ledger.append([returned(5, f"back.{number}") for number in range(first, first + count)])


def checkpoint_of(folder: Path) -> tuple[int, bytes]:
    opened = open_checkpoint((folder / "checkpoint").read_text(), [KEY.verifying_key])
    return opened.size, opened.root


def files_in(folder: Path) -> dict[str, bytes]:
    """The mirror's files, without what is hidden."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = ((str(path.relative_to(folder)), path) for path in paths)
    return {name: path.read_bytes() for name, path in names if not any(part[0] == "." for part in name.split("/"))}


def change_a_row(home: Home, index: int, statement: str, *values: object) -> None:
    """What the database's owner can do: he drops the trigger first."""
    with sqlite3.connect(home.folder / "ledger.db") as connection:
        connection.execute("DROP TRIGGER entry_no_update")
        connection.execute(statement, (*values, index))
    connection.close()


# --- the mirror ---------------------------------------------------------------------------------------------


def test_a_mirror_holds_the_log_as_tlog_tiles_and_its_audit_passes(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    status, out, _ = run(capsys, "mirror", home.folder, copy, "--vkey", VKEY, "--json")
    told = json.loads(out)
    assert (status, told["size"], told["new"]) == (0, 700, 700)
    assert set(files_in(copy)) == {
        "checkpoint", "checkpoints", "keys",
        "tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/188",
    }  # fmt: skip
    for name in ("tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2", "checkpoint", "keys"):
        assert (copy / name).read_bytes() == (home.folder / "log" / name).read_bytes()
    assert run(capsys, "audit", copy, "--vkey", VKEY)[0] == 0


def test_the_audit_of_a_mirror_names_the_entry_in_which_a_byte_was_changed(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    run(capsys, "mirror", home.folder, copy)
    bundle = copy / "tile" / "entries" / "000"
    bundle.write_bytes(bundle.read_bytes().replace(b"A0005", b"A0006"))
    status, out, _ = run(capsys, "audit", copy, "--vkey", VKEY, "--json")
    assert status == 1
    assert 5 in {fault["index"] for fault in json.loads(out)["faults"]}


def test_a_second_run_reads_only_the_bundles_that_are_new_and_drops_what_they_replace(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, copy = tmp_path / "served", tmp_path / "copy"
    run(capsys, "mirror", home.folder, served / "log")
    with plain_server(served) as (url, _):
        assert run(capsys, "mirror", url, copy)[0] == 0
    grow(home, 0, 200)
    run(capsys, "mirror", home.folder, served / "log")
    with plain_server(served) as (url, asked):
        status, out, _ = run(capsys, "mirror", url, copy, "--json")
    assert (status, json.loads(out)["size"], json.loads(out)["new"]) == (0, 900, 200)
    entries = sorted({path for path in asked if "entries" in path})
    assert entries == ["/log/tile/entries/002", "/log/tile/entries/003.p/132"]
    assert not (copy / "tile/entries/002.p/188").exists()
    assert not (copy / "tile/0/002.p/188").exists()
    # a plain log gives only its newest checkpoint: the earlier one is the one that was mirrored before
    assert len((copy / "checkpoints").read_text().splitlines()) == 1
    assert {**files_in(copy), "checkpoints": b""} == {**files_in(served / "log"), "checkpoints": b""}
    assert run(capsys, "audit", copy, "--vkey", VKEY)[0] == 0


def test_a_run_without_anything_new_changes_nothing(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    run(capsys, "mirror", home.folder, copy)
    before = files_in(copy)
    status, out, _ = run(capsys, "mirror", home.folder, copy, "--json")
    assert (status, json.loads(out)["new"]) == (0, 0)
    assert files_in(copy) == before


def test_a_changed_entry_is_named_and_nothing_of_it_is_published(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    run(capsys, "mirror", home.folder, copy)
    before = files_in(copy)
    grow(home, 0, 100)
    change_a_row(home, 733, "UPDATE entry SET text = replace(text, 'st_1', 'st_2') WHERE log_index = ?")
    status, out, _ = run(capsys, "mirror", home.folder, copy)
    assert status == 1
    assert "entry 733" in out
    assert files_in(copy) == before


def test_a_missing_entry_is_named(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_a_row(home, 431, "UPDATE entry SET log_index = 9000 WHERE log_index = ?")
    status, out, _ = run(capsys, "mirror", home.folder, tmp_path / "copy")
    assert status == 1
    assert "entry 431 is missing" in out
    assert not (tmp_path / "copy" / "checkpoint").exists()


@pytest.mark.parametrize("size", [600, 700, 900])
def test_a_log_that_does_not_extend_the_mirror_is_refused_with_both_sizes_and_roots(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    copy, other = tmp_path / "copy", tmp_path / "other"
    run(capsys, "mirror", home.folder, copy)
    other.mkdir()
    fork = Home(f"sqlite:///{other}/ledger.db", other)
    with fork.open() as ledger:
        ledger.append([registered(number, owner="co_2") for number in range(size)])
    before = files_in(copy)
    status, out, _ = run(capsys, "mirror", other, copy)
    assert status == 1
    for folder in (copy, other / "log"):
        entries, root = checkpoint_of(folder)
        assert f"{entries} entries, root {root.hex()}" in out
    assert files_in(copy) == before


def test_a_checkpoint_of_a_stranger_is_refused(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = SigningKey(KEY.name, bytes(32))
    copy = tmp_path / "copy"
    status, out, _ = run(capsys, "mirror", home.folder, copy, "--vkey", format_vkey(stranger.verifying_key))
    assert status == 1
    assert "not signed by the key that is known" in out
    assert not (copy / "checkpoint").exists()


def test_a_damaged_mirror_is_named_and_not_grown(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    run(capsys, "mirror", home.folder, copy)
    (copy / "checkpoint").write_text("not a checkpoint")
    status, out, _ = run(capsys, "mirror", home.folder, copy)
    assert status == 1
    assert "the checkpoint that the mirror holds is not signed" in out
    status, _, err = run(capsys, "audit", copy)
    assert status == 2
    assert f"{copy / 'checkpoint'} is not a checkpoint" in err


def test_a_kill_in_the_middle_leaves_the_older_mirror_whole(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, copy = tmp_path / "served", tmp_path / "copy"
    run(capsys, "mirror", home.folder, copy)
    before = files_in(copy)
    grow(home, 0, 900)
    run(capsys, "mirror", home.folder, served)
    with blocked(served / tile_path("entries", 5)):
        killed_as_soon_as((copy / ".new" / tile_path("entries", 4)).exists, "mirror", served, copy)
    assert files_in(copy) == before
    assert run(capsys, "audit", copy, "--vkey", VKEY)[0] == 0
    assert run(capsys, "mirror", served, copy)[0] == 0
    assert files_in(copy) == files_in(served)


def test_a_folder_of_something_else_is_left_alone(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (home.folder, home.folder / "log"):
        before = files_in(folder)
        status, _, err = run(capsys, "mirror", home.folder, folder)
        assert status == 2
        assert "name another folder" in err
        assert files_in(folder) == before


def test_proofs_are_made_from_a_mirror_as_from_the_ledger(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, proof = tmp_path / "copy", tmp_path / "one.tlog-proof"
    run(capsys, "mirror", home.folder, copy)
    assert run(capsys, "proof", copy, 431, "--out", proof)[0] == 0
    assert run(capsys, "verify", proof, "--vkey", VKEY)[0] == 0


# --- a home made anew ---------------------------------------------------------------------------------------


def content(url: str, folder: Path) -> tuple[list[StoredEntry], dict[str, str], list[tuple[object, ...]]]:
    """Entries, states, and the rows that hang on them; the order of rows in a table means nothing."""
    engine = open_engine(parse_url(url), writer=False)
    reader = Reader(engine, LogFiles(folder / "log"), VKEY)
    rows: list[tuple[object, ...]] = []
    with engine.connect() as connection:
        for columns in ("subject, kind, n, head, log_index, owner_id FROM subject_now", "code, cylinder_id FROM code",
                        "ref, log_index FROM entry_ref", "size, note FROM checkpoint"):  # fmt: skip
            rows += sorted(map(tuple, connection.exec_driver_sql(f"SELECT {columns}").all()), key=repr)
    found = list(reader.all_entries()), reader.read_model(), rows
    engine.dispose()
    return found


def test_a_ledger_goes_from_sqlite_to_postgresql_and_back_and_every_hash_is_kept(
    home: Home, key_file: Path, postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grow(home, 0, 900)
    there, back = tmp_path / "there", tmp_path / "back"
    last = f"sqlite:///{back}/ledger.db"
    assert run(capsys, "mirror", home.folder, tmp_path / "copy1")[0] == 0
    status, out, _ = run(
        capsys, "rebuild", tmp_path / "copy1", "--to", postgres_url, "--data", there, "--key", key_file
    )
    assert status == 0, out
    assert run(capsys, "mirror", postgres_url, tmp_path / "copy2", "--vkey", VKEY)[0] == 0
    status, out, _ = run(capsys, "rebuild", tmp_path / "copy2", "--to", last, "--data", back, "--key", key_file)
    assert status == 0, out
    first = content(home.url, home.folder)
    assert len(first[0]) == 1600
    assert content(postgres_url, there) == first
    assert content(last, back) == first
    assert checkpoint_of(there / "log") == checkpoint_of(back / "log") == checkpoint_of(home.folder / "log")
    for folder in (there, back):
        assert files_in(folder / "log").items() <= files_in(home.folder / "log").items()
    for place in (postgres_url, back):
        assert run(capsys, "audit", place, "--vkey", VKEY)[0] == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_home_made_anew_goes_on_as_the_old_one_would_have(
    kind: str, home: Home, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    folder = tmp_path / "new"
    url = f"sqlite:///{folder}/ledger.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    run(capsys, "mirror", home.folder, tmp_path / "copy")
    run(capsys, "rebuild", tmp_path / "copy", "--to", url, "--data", folder, "--key", key_file)
    for place in (home, Home(url, folder, home.clock)):
        with place.open() as ledger:
            again = ledger.append([registered(1)])[0]
            assert (again.replayed, again.index) == (True, 1)
            assert ledger.append([returned(5, "later")])[0].index == 700
    assert run(capsys, "audit", folder if kind == "sqlite" else url, "--vkey", VKEY)[0] == 0


def test_mirror_and_new_home_follow_a_rotated_key(
    home: Home, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "new"
    run(capsys, "mirror", home.folder, copy, "--vkey", VKEY)
    assert run(capsys, "rotate-key", "--key", key_file, "--log", home.folder / "log")[0] == 0
    key = parse_signer(key_file.read_text().strip())
    assert key != KEY
    with Ledger(home.url, home.folder, key, home.clock) as ledger:
        ledger.append([returned(5, "under.the.new.key")])
    assert run(capsys, "mirror", home.folder, copy, "--vkey", VKEY)[0] == 0
    assert (copy / "keys").read_text().split() == [format_vkey(key.verifying_key), VKEY]
    url = f"sqlite:///{folder}/ledger.db"
    status, out, _ = run(capsys, "rebuild", copy, "--to", url, "--data", folder, "--key", key_file)
    assert status == 0, out
    for place in (home, Home(url, folder, home.clock)):
        with Ledger(place.url, place.folder, key, home.clock) as ledger:
            assert ledger.append([returned(5, "later")])[0].index == 701
    assert (folder / "log" / "rotations").read_text() == (home.folder / "log" / "rotations").read_text()
    assert [run(capsys, "audit", path)[0] for path in (copy, folder)] == [0, 0]


def test_an_sm3_ledger_is_mirrored_and_made_anew_with_sm3(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, clock = SigningKey("ledger.example/cylinders/sm3", bytes(range(32))), Clock()
    data, copy, file, url = (
        tmp_path / "data",
        tmp_path / "copy",
        tmp_path / "sm3.key",
        f"sqlite:///{tmp_path}/data/l.db",
    )
    data.mkdir()
    file.write_text(format_signer(key))
    with Ledger(url, data, key, clock) as ledger:
        ledger.append(first_life())
    vkey = format_vkey(key.verifying_key)
    assert run(capsys, "mirror", url, copy, "--vkey", vkey)[0] == 0
    status, out, _ = run(capsys, "rebuild", copy, "--to", postgres_url, "--data", tmp_path / "new", "--key", file)
    assert status == 0, out
    assert content(postgres_url, tmp_path / "new") == content(url, data)
    assert [run(capsys, "audit", place, "--vkey", vkey)[0] for place in (copy, postgres_url)] == [0, 0]


def test_what_no_mirror_has_is_said(
    home: Home, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "mirror", home.folder, tmp_path / "copy")
    folder = tmp_path / "new"
    url = f"sqlite:///{folder}/ledger.db"
    _, out, _ = run(capsys, "rebuild", tmp_path / "copy", "--to", url, "--data", folder, "--key", key_file)
    for word in ("vault", "accounts", "one-time codes", "journals", "folder keys"):
        assert word in out


def test_a_home_that_is_not_empty_is_refused_and_stays_as_it_is(
    home: Home, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "mirror", home.folder, tmp_path / "copy")
    before = content(home.url, home.folder)
    grown = tmp_path / "grown"
    for url, data in ((home.url, grown), (f"sqlite:///{grown}/ledger.db", home.folder)):
        status, _, err = run(capsys, "rebuild", tmp_path / "copy", "--to", url, "--data", data, "--key", key_file)
        assert status == 2
        assert "not empty" in err
    assert content(home.url, home.folder) == before


def test_a_mirror_with_one_changed_entry_never_becomes_a_home(
    home: Home, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, folder = tmp_path / "copy", tmp_path / "new"
    run(capsys, "mirror", home.folder, copy)
    bundle = copy / "tile" / "entries" / "002.p" / "188"
    bundle.write_bytes(re.sub(b"wall too thin", b"wall too sick", bundle.read_bytes()))
    url = f"sqlite:///{folder}/ledger.db"
    status, out, _ = run(capsys, "rebuild", copy, "--to", url, "--data", folder, "--key", key_file)
    assert status == 1
    assert "do not have the signed root" in out
    with pytest.raises(StoreError, match=r"unfinished rebuild of .*: run it again"):
        Ledger(url, folder, KEY, home.clock)


def test_another_key_than_the_logs_makes_no_home(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "mirror", home.folder, tmp_path / "copy")
    (tmp_path / "other.key").write_text(format_signer(SigningKey(KEY.name, bytes(32))))
    status, _, err = run(
        capsys, "rebuild", tmp_path / "copy", "--to", f"sqlite:///{tmp_path}/new/ledger.db",
        "--data", tmp_path / "new", "--key", tmp_path / "other.key",
    )  # fmt: skip
    assert status == 2
    assert "not signed by the key" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_in_the_middle_leaves_a_home_that_is_refused_until_the_same_command_has_finished_it(
    kind: str, home: Home, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    copy, folder = tmp_path / "copy", tmp_path / "new"
    url = f"sqlite:///{folder}/ledger.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    grow(home, 0, 2000)
    run(capsys, "mirror", home.folder, copy)
    arguments = ["rebuild", copy, "--to", url, "--data", folder, "--key", key_file]
    with blocked(copy / tile_path("entries", 8)):
        killed_as_soon_as(lambda: entries_at(url, folder) == 2000, *arguments)
    with pytest.raises(StoreError, match=r"unfinished rebuild of .*: run it again"):
        Ledger(url, folder, KEY, home.clock)
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert "2000 entries were there already" in out
    assert content(url, folder) == content(home.url, home.folder)


def entries_at(url: str, folder: Path) -> int:
    try:
        return DatabaseSource(url, folder).size()
    except StoreError:
        return 0  # not made yet


# --- tools of these tests -----------------------------------------------------------------------------------


class blocked:  # noqa: N801 - it reads as a word
    """Whoever reads the file waits for ever, as on a line that hangs; at the end it is as it was."""

    def __init__(self, path: Path) -> None:
        self._path, self._data = path, path.read_bytes()

    def __enter__(self) -> None:
        self._path.unlink()
        os.mkfifo(self._path)

    def __exit__(self, *_: object) -> None:
        self._path.unlink()
        self._path.write_bytes(self._data)


def killed_as_soon_as(holds: Callable[[], bool], *arguments: object) -> None:
    """The command in a process of its own, killed with -9."""
    program = "import sys; from cylinder_trace.cli import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)])
    try:
        wait_until(holds)
    finally:
        process.send_signal(signal.SIGKILL)
        status = process.wait()
    assert status == -signal.SIGKILL


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def plain_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The folder behind a plain file server, no code of ours; and the paths that were asked for."""
    asked: list[str] = []

    class Noted(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Noted, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()
