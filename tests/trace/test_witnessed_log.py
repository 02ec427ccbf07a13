"""A ledger that is witnessed: cosignatures come and are kept, a dead witness delays nothing, a fork raises an alarm."""

import json
import shutil
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from witness_house import W1, RunningWitness, running_witness

from cylinder_codes.keys import SigningKey
from cylinder_codes.note import open_note, split_note
from cylinder_trace.checkpoint import open_checkpoint
from cylinder_trace.cosignature import ML_DSA_44, Cosigner, format_cosigner, format_cosigner_key
from cylinder_trace.store.database import StoreError
from cylinder_trace.store.ledger import Ledger
from cylinder_trace.store.publishing import Publishing, publishing_of
from cylinder_trace.store.witness_client import WitnessAddress
from cylinder_trace.witnessing import origin_path
from ledgers.homes import KEY, Clock, registered
from servers.keeper import free_port

SECOND = Cosigner(KEY.name, ML_DSA_44, bytes(range(64, 96)))
LOG_KEYS = [KEY.verifying_key]


def opened(folder: Path, *urls: str, second: Cosigner | None = None, database: str | None = None) -> Ledger:
    folder.mkdir(exist_ok=True)
    witnesses = tuple(WitnessAddress(url, W1.verifying_key) for url in urls)
    return Ledger(database or f"sqlite:///{folder}/ledger.db", folder, KEY, Clock(), Publishing(second, witnesses))


def soon(happened: Callable[[], bool], within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def shown(folder: Path) -> str:
    path = folder / "log" / "checkpoint"
    return path.read_text() if path.exists() else ""


def cosigned(folder: Path, size: int) -> bool:
    note = shown(folder)
    if f"\n{size}\n" not in note or W1.name not in note:
        return False
    return len(open_note(note, [KEY.verifying_key, W1.verifying_key]).verified_by) == 2


def test_every_new_checkpoint_gets_the_witnesss_line_and_keeps_it(tmp_path: Path) -> None:
    with running_witness(tmp_path / "w", LOG_KEYS) as witness:
        with opened(tmp_path / "data", witness.url) as ledger:
            for number in (1, 2, 3):
                ledger.append([registered(number)])
                soon(lambda size=number: cosigned(tmp_path / "data", size))  # type: ignore[misc]
            newest = ledger.reader.checkpoint()
        assert newest is not None
        assert newest[1] == shown(tmp_path / "data")
        assert witness.get(f"/{origin_path(KEY.name)}/checkpoint").status == 200
    with opened(tmp_path / "data") as ledger:
        assert cosigned(tmp_path / "data", 3), "a restart must not lose the line"
        bundle = ledger.reader.bundle("cylinder/cyl_1")
    assert W1.name in bundle.checkpoint


def test_two_processes_on_postgresql_share_what_a_witness_said(tmp_path: Path, postgres_url: str) -> None:
    """Both ask it about the same log: neither takes the other's newer checkpoint for a fork."""
    data = tmp_path / "data"
    with (
        running_witness(tmp_path / "w", LOG_KEYS) as witness,
        opened(data, witness.url, database=postgres_url) as one,
        opened(data, witness.url, database=postgres_url) as other,
    ):
        for number in range(1, 13):
            (one if number % 2 else other).append([registered(number)])
        soon(lambda: cosigned(data, 12))
        newest = other.reader.checkpoint()
        assert newest is not None
        assert newest == one.reader.checkpoint()
        assert W1.name in newest[1]
        assert one.publisher.alarms() == other.publisher.alarms() == []


def test_a_witness_that_is_not_there_delays_nothing_and_is_asked_again(tmp_path: Path) -> None:
    port = free_port()
    with opened(tmp_path / "data", f"http://127.0.0.1:{port}") as ledger:
        ledger.append([registered(number) for number in range(1, 40)])
        soon(lambda: "\n39\n" in shown(tmp_path / "data"))
        with running_witness(tmp_path / "w", LOG_KEYS, port=port):
            soon(lambda: cosigned(tmp_path / "data", 39))


def test_a_witness_that_never_answers_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cylinder_trace.store.witness_client._TIMEOUT_S", 600)  # it is not asked a second time
    asked, over = [], Event()

    class Silent(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            over.wait()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with opened(tmp_path / "data", f"http://127.0.0.1:{server.server_address[1]}") as ledger:
            for number in (1, 2, 3):
                ledger.append([registered(number)])
                soon(lambda size=number: f"\n{size}\n" in shown(tmp_path / "data"))  # type: ignore[misc]
    finally:
        over.set()
        server.shutdown()
        server.server_close()
    assert asked == ["/add-checkpoint"]


def test_a_log_that_comes_back_goes_on_from_the_size_its_witness_names(tmp_path: Path) -> None:
    with running_witness(tmp_path / "w", LOG_KEYS) as witness:
        for size in (5, 9):
            with opened(tmp_path / "data", witness.url) as ledger:
                ledger.append([registered(number) for number in range(size - 4, size + 1)])
                total = ledger.reader.size()
                soon(lambda size=total: cosigned(tmp_path / "data", size))  # type: ignore[misc]
        assert not list((tmp_path / "data").glob("alarms/*"))


def test_a_killed_witness_is_asked_again_and_takes_up_where_it_stood(tmp_path: Path) -> None:
    port = free_port()
    with opened(tmp_path / "data", f"http://127.0.0.1:{port}") as ledger:
        for number in range(1, 5):
            with running_witness(tmp_path / "w", LOG_KEYS, port=port):  # left by SIGKILL
                ledger.append([registered(number)])
                soon(lambda size=number: cosigned(tmp_path / "data", size))  # type: ignore[misc]


def restored_backup(tmp_path: Path, witness: RunningWitness, lost: int, anew: int) -> Path:
    """A ledger of 5 entries is backed up, `lost` more are witnessed, then the backup comes back and grows `anew`."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    with opened(data, witness.url) as ledger:
        ledger.append([registered(number) for number in range(1, 6)])
        soon(lambda: cosigned(data, 5))
    shutil.copytree(data, copy)
    with opened(data, witness.url) as ledger:
        ledger.append([registered(number) for number in range(6, 6 + lost)])
        soon(lambda: cosigned(data, 5 + lost))
    with opened(copy) as ledger:
        ledger.append([registered(number) for number in range(900, 900 + anew)])
    with opened(copy, witness.url) as ledger:
        soon(lambda: bool(ledger.publisher.alarms()))
    return copy


@pytest.mark.parametrize(
    ("lost", "anew", "status"),
    [(3, 0, "409"), (3, 2, "409"), (3, 3, "422"), (3, 6, "422")],
    ids=["set back", "set back and grown a little", "grown to the same size", "grown beyond"],
)
def test_an_old_backup_that_is_put_back_raises_the_fork_alarm(
    tmp_path: Path, lost: int, anew: int, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running_witness(tmp_path / "w", LOG_KEYS) as witness:
        copy = restored_backup(tmp_path, witness, lost, anew)
        with opened(copy):
            pass
    alarms = [json.loads(path.read_text()) for path in (copy / "alarms").iterdir()]
    assert status in {alarm["status"] for alarm in alarms}
    assert all(open_checkpoint(alarm["shown"], LOG_KEYS) for alarm in alarms)
    soon(lambda: "FORK ALARM" in caplog.text)  # the thread that asked the witness says so behind writing it down
    assert "nobody has moved the alarm away" in caplog.text


@pytest.mark.parametrize("status", [409, 422])
def test_a_bare_409_and_a_422_are_alarms_and_other_refusals_are_not(tmp_path: Path, status: int) -> None:
    answers = {"status": 503}

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answers["status"])
            self.send_header("Content-Length", "0")
            self.end_headers()
            seen.append(answers["status"])

        def log_message(self, *_: object) -> None:
            pass

    seen: list[int] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with opened(tmp_path / "data", f"http://127.0.0.1:{server.server_address[1]}") as ledger:
            ledger.append([registered(1)])
            soon(lambda: len(seen) > 1)
            assert not ledger.publisher.alarms()
            answers["status"] = status
            soon(lambda: bool(ledger.publisher.alarms()))
    finally:
        server.shutdown()
        server.server_close()


def test_a_cosignature_by_another_key_than_the_configured_one_is_not_taken(tmp_path: Path) -> None:
    stranger = Cosigner(W1.name, W1.kind, bytes(32))
    with running_witness(tmp_path / "w", LOG_KEYS, [stranger]) as witness:
        with opened(tmp_path / "data", witness.url) as ledger:
            ledger.append([registered(1)])
            soon(lambda: witness.get(f"/{origin_path(KEY.name)}/checkpoint").status == 200)
            time.sleep(0.3)
        assert W1.name not in shown(tmp_path / "data")


# --- the log's second signature -----------------------------------------------------------------------------


def test_an_ml_dsa_44_line_stands_beside_the_ed25519_one_when_it_is_switched_on(tmp_path: Path) -> None:
    with opened(tmp_path / "data", second=SECOND) as ledger:
        ledger.append([registered(1)])
    note = shown(tmp_path / "data")
    assert len(split_note(note)[1]) == 2
    for known in (KEY.verifying_key, SECOND.verifying_key):
        assert open_checkpoint(note, [known]).size == 1
    keys = (tmp_path / "data" / "log" / "keys").read_text().splitlines()
    assert [key.split("+")[1] for key in keys] == [KEY.key_id.hex(), SECOND.verifying_key.key_id.hex()]


def test_the_second_key_can_be_switched_on_later_and_off_again(tmp_path: Path) -> None:
    for number, second in enumerate([None, SECOND, None], start=1):
        with opened(tmp_path / "data", second=second) as ledger:
            ledger.append([registered(number)])
        assert len(split_note(shown(tmp_path / "data"))[1]) == (2 if second else 1)


def test_two_files_in_the_data_folder_switch_on_the_second_key_and_the_witnesses(tmp_path: Path) -> None:
    assert publishing_of(tmp_path) == Publishing()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "log-ml-dsa.key").write_text(f"{format_cosigner(SECOND)}\n")
    vkey = format_cosigner_key(W1.verifying_key)
    (tmp_path / "witnesses.policy").write_text(f"witness w1 {vkey} http://127.0.0.1:8100\nquorum none\n")
    expected = Publishing(SECOND, (WitnessAddress("http://127.0.0.1:8100", W1.verifying_key),))
    assert publishing_of(tmp_path) == expected
    (tmp_path / "witnesses.policy").write_text(f"witness w1 {vkey}\nquorum none\n")
    with pytest.raises(StoreError, match="no address"):
        publishing_of(tmp_path)
    (tmp_path / "witnesses.policy").write_text("witness w1\n")
    with pytest.raises(StoreError, match="line 1"):
        publishing_of(tmp_path)
    (tmp_path / "keys" / "log-ml-dsa.key").write_text("rubbish")
    with pytest.raises(StoreError, match="put the right one back"):
        publishing_of(tmp_path)


def test_a_second_key_of_another_name_or_kind_is_refused(tmp_path: Path) -> None:
    for wrong in (Cosigner("other.example", ML_DSA_44, bytes(32)), Cosigner(KEY.name, W1.kind, bytes(32))):
        with pytest.raises(StoreError, match="ML-DSA-44 key named"):
            opened(tmp_path / "data", second=wrong)


def test_a_witnessed_checkpoint_with_two_log_lines_is_cosigned(tmp_path: Path) -> None:
    with running_witness(tmp_path / "w", LOG_KEYS) as witness:
        with opened(tmp_path / "data", witness.url, second=SECOND) as ledger:
            ledger.append([registered(1)])
            soon(lambda: cosigned(tmp_path / "data", 1))
        assert len(split_note(shown(tmp_path / "data"))[1]) == 3


def test_a_stranger_cannot_open_the_ledger_as_if_the_key_had_been_rotated(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as ledger:
        ledger.append([registered(1)])
    stranger = SigningKey(KEY.name, bytes(32))
    with pytest.raises(StoreError, match="not signed by this ledger's key"):
        Ledger(f"sqlite:///{tmp_path}/data/ledger.db", tmp_path / "data", stranger, Clock())
