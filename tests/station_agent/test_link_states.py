"""Each way in which the line or the service fails has a name of its own, a sentence and a next step."""

import asyncio
import datetime
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cylinder_trace.events import Returned, state_event
from station_agent import sync as syncing
from station_agent.link import LINK_SAID, Link
from station_agent.log_keys import LogKeys
from station_agent.own_acts import OwnActs
from station_agent.service import Service, ServiceGone, ServiceRefused, UploadAnswer, UploadAnswers, UploadProblem
from station_agent.sync import Backoff, Sync
from stations.bench import LOG_KEY, Home, frozen_clock, home_in

Answered = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@contextmanager
def listening(answered: Answered, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server of a few lines, on a thread of its own; its port."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()
    port: list[int] = []

    async def serve() -> None:
        async with await asyncio.start_server(answered, "127.0.0.1", 0, ssl=tls) as server:
            port.append(server.sockets[0].getsockname()[1])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def answering(status: str, *headers: str, body: str = "{}") -> Answered:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return answer


async def never_answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until whoever called has had enough
    writer.close()
    await writer.wait_closed()


def asked(port: int, scheme: str = "http") -> ServiceGone:
    """What the station makes of what is there."""

    async def ask() -> None:
        async with Service(f"{scheme}://127.0.0.1:{port}", "token", "st_1") as service:
            await service._send("GET", "/readyz", timeout_s=1.0)

    with pytest.raises(ServiceGone) as gone:
        asyncio.run(ask())
    return gone.value


@pytest.mark.parametrize(
    ("status", "code", "link"),
    [
        ("500 Internal Server Error", "unexpected", Link.FAILING),
        ("503 Service Unavailable", "unavailable", Link.BUSY),
        ("429 Too Many Requests", "too_many", Link.BUSY),
        ("401 Unauthorized", "unauthenticated", Link.TOKEN_ENDED),
        ("403 Forbidden", "device_cut_off", Link.CUT_OFF),
        ("403 Forbidden", "other_device", Link.TOKEN_ENDED),
        ("502 Bad Gateway", "", Link.FAILING),
    ],
)
def test_what_the_service_refuses_with_has_a_name(status: str, code: str, link: Link) -> None:
    with listening(answering(status, body=f'{{"code": "{code}", "detail": "no"}}')) as port:
        gone = asked(port)
    assert gone.link is link
    assert isinstance(gone, ServiceRefused)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("999999", 3600.0), ("Sun, 22 Nov 2026 02:00:00 GMT", 0.0)])
def test_how_long_the_service_asks_to_be_left_alone_is_heard(said: str, seconds: float) -> None:
    with listening(answering("503 Service Unavailable", f"Retry-After: {said}")) as port:
        gone = asked(port)
    assert isinstance(gone, ServiceRefused)
    assert gone.retry_after_s == seconds


def test_nobody_there_and_nobody_answering_are_two_things() -> None:
    with listening(never_answering) as port:
        assert asked(port).link is Link.SILENT
    assert asked(port).link is Link.UNREACHABLE


def test_a_certificate_of_somebody_else_is_named(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody.example")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), day, day.replace(year=2036)
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    (tmp_path / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with listening(answering("200 OK"), tls) as port:
        assert asked(port, "https").link is Link.CERTIFICATE


def test_a_pause_is_never_shorter_than_asked_for_and_still_spread_out() -> None:
    pauses = [Backoff().next_s(30) for _ in range(20)]
    assert min(pauses) >= 30
    assert len(set(pauses)) > 10


def test_every_state_but_the_good_ones_says_in_both_languages_what_to_do_next() -> None:
    assert set(LINK_SAID) == set(Link)
    for link, said in LINK_SAID.items():
        assert said.zh
        assert said.en
        assert bool(said.next_zh) == bool(said.next_en) == (link not in (Link.STARTING, Link.ONLINE))


# ---------------------------------------------------------------- what an upload makes of it


class Uploads:
    """A service that answers each upload as a test has laid out."""

    is_slow = False

    def __init__(self, *answers: Exception | Callable[[int], UploadAnswers]) -> None:
        self.answers = list(answers)
        self.batches: list[int] = []

    async def upload(self, device_id: str, records: list[bytes], head: dict[str, Any]) -> UploadAnswers:
        self.batches.append(len(records))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(head["seq"])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = home_in(tmp_path)
    for number in range(40):
        event = Returned(station_id="station-1")
        home.journal.append(state_event(event, id=f"r{number}", subject="cylinder/c1", occurred_at=1, by="station-1"))
    yield home
    home.close()


class Told(list[tuple[str, dict[str, Any]]]):
    """What the sync has told; `heard` is set by the first of it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    def tell(self, event: str, fields: dict[str, Any]) -> None:
        self.append((event, fields))
        self.heard.set()


def sync_of(home: Home, uploads: Uploads) -> tuple[Sync, Told]:
    told = Told()
    sync = Sync(
        cast(Service, uploads), home.journal, home.replica, OwnActs(), frozen_clock(1, 0), device_id="d",
        station_id="station-1", log_keys=LogKeys(LOG_KEY.verifying_key, home.replica._path.parent),
        recorded=asyncio.Event(), tell=told.tell,
    )  # fmt: skip
    return sync, told


def uploaded(home: Home, uploads: Uploads) -> tuple[Sync, Told]:
    """One upload for each answer, without the pauses between them."""
    sync, told = sync_of(home, uploads)
    while uploads.answers:
        try:
            home.runner.run(sync.upload_once())
        except ServiceGone as trouble:
            sync._trouble(trouble)
    return sync, told


def taken(head: int) -> UploadAnswers:
    answers = tuple(UploadAnswer(seq=seq, id=f"r{seq}", status="stored", index=seq) for seq in range(head + 1))
    return UploadAnswers(answers=answers, next_seq=head + 1)


@pytest.mark.parametrize("link", [Link.SILENT, Link.UNREACHABLE, Link.CERTIFICATE, Link.FAILING])
def test_a_trouble_is_told_by_name_and_the_queue_goes_up_when_it_is_over(home: Home, link: Link) -> None:
    sync, told = uploaded(home, Uploads(ServiceGone("no", link), taken))
    (first, fields), *_ = told
    assert (first, fields["link"], fields["online"]) == ("link", link.value, False)
    assert fields["next_zh"] == LINK_SAID[link].next_zh
    kept = home.replica.link()
    assert kept is not None
    assert kept["link"] == "online", "for status, which is another process"
    assert (sync.state.link, sync.state.online, sync.state.unsent) == (Link.ONLINE, True, 0)


def test_on_a_line_that_times_out_the_batches_become_smaller_until_they_get_through(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syncing, "_BATCH", 40)
    slow = ServiceGone("no", Link.SILENT)
    uploads = Uploads(
        slow, slow, taken, lambda head: UploadAnswers(answers=taken(head).answers[10:], next_seq=head + 1)
    )
    uploaded(home, uploads)
    assert uploads.batches[:4] == [40, 20, 10, 20]


def test_a_record_that_is_not_taken_stays_named_while_the_rest_of_the_link_is_good(home: Home) -> None:
    problem = UploadProblem(seq=0, code="bad_record", detail="cannot be read")
    sync, _told = uploaded(home, Uploads(lambda _head: UploadAnswers(answers=(), next_seq=0, problem=problem)))
    sync._online()
    assert sync.state.link is Link.NOT_TAKEN


@pytest.mark.parametrize("next_seq", [0, 20], ids=["from the beginning on", "from the same record on"])
def test_a_service_that_takes_nothing_and_says_nothing_is_asked_again_after_a_pause_and_named(
    home: Home, next_seq: int
) -> None:
    home.journal.settle([(seq, "stored", seq) for seq in range(21)])
    uploads = Uploads(*[lambda _head: UploadAnswers(answers=(), next_seq=next_seq)] * 9)
    sync, told = sync_of(home, uploads)

    async def until_it_pauses() -> None:
        uploading = asyncio.create_task(sync.upload_for_ever())
        async with asyncio.timeout(30):
            await told.heard.wait()
        uploading.cancel()

    home.runner.run(until_it_pauses())
    assert len(uploads.batches) == 1
    assert sync.state.link is Link.NOT_TAKEN
    assert home.journal.unsent_count() == 19


class CutOff:
    """A service that hands out nothing to a device that was cut off."""

    async def replica(self, _since: int | None) -> bytes:
        raise ServiceRefused("device d was cut off", 403, code="device_cut_off")


def test_a_device_that_was_cut_off_and_has_nothing_to_send_begins_no_fill_any_more(home: Home) -> None:
    sync, _told = sync_of(home, cast(Uploads, CutOff()))
    with pytest.raises(ServiceRefused):
        home.runner.run(sync.pull())
    assert home.journal.closed_because == "device d was cut off"
    assert sync.state.link is Link.JOURNAL_CLOSED


def test_a_device_that_was_cut_off_begins_no_fill_any_more(home: Home) -> None:
    uploaded(home, Uploads(ServiceRefused("device d was cut off", 403, code="device_cut_off")))
    assert home.journal.closed_because


def test_the_last_record_that_was_answered_for_goes_up_again_and_its_dispute_stands(home: Home) -> None:
    home.journal.settle([(seq, "disputed" if seq == 39 else "stored", seq) for seq in range(40)])
    known = UploadAnswers(answers=(UploadAnswer(seq=39, id="r39", status="known", index=39),), next_seq=40)
    sync, told = uploaded(home, Uploads(lambda _head: known))
    assert (sync.state.disputed, home.journal.disputed_count()) == (1, 1)
    assert [event for event, _ in told] == ["link"]
    assert [line.id for line in home.journal.disputed()] == ["r39"]


def test_a_service_that_knows_more_of_this_device_closes_the_journal(home: Home) -> None:
    sync, told = uploaded(home, Uploads(lambda head: UploadAnswers(answers=taken(head).answers, next_seq=70)))
    assert sync.state.link is Link.JOURNAL_CLOSED
    assert [event for event, _ in told if event == "journal_closed"] == ["journal_closed"]
    sync._online()
    assert sync.state.link is Link.JOURNAL_CLOSED, "an answer mends no journal"
    again, told = sync_of(home, Uploads())
    home.runner.run(again.upload_once())
    assert [event for event, _ in told] == ["journal_closed"], "also after a restart, and nothing is uploaded"
