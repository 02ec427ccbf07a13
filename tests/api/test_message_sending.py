"""One attempt to send one message: signed after Standard Webhooks, only to where it may go, in bounded time."""

import asyncio
import base64
import datetime
import hmac
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cylinder_api.delivery.addresses import Address, BadAddress, Guard, is_public, resolve
from cylinder_api.delivery.backoff import LASTING_MS, LONGEST_MS, bound_ms, is_given_up, wait_ms
from cylinder_api.delivery.sending import Message, Outcome, Sender
from cylinder_api.delivery.signing import format_secret, parse_secret, signature_of
from servers.receiver import Behaviour, Received, Receiver, never, says, sends, without_end

NOW = 1_614_265_330_000
SECRET, NEXT_SECRET = b"s" * 32, b"n" * 32
MESSAGE = Message("msg_1", b'{"specversion":"1.0"}', "application/cloudevents+json")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def attempt(url: str, message: Message = MESSAGE, sender: Sender | None = None) -> Outcome:
    sender = sender or Sender(Guard(private=True), answer_s=20)
    return asyncio.run(sender.send(url, message, [SECRET], NOW))


# ------------------------------------------------------------------ signatures


def test_the_published_vector_of_standard_webhooks_is_met() -> None:
    secret = parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert secret is not None
    signature = signature_of(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_is_read_as_it_is_written(secret: bytes) -> None:
    assert parse_secret(format_secret(secret)) == secret


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_MfKQ", "sk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"]
)
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    assert parse_secret(text) is None


def test_a_message_bears_its_id_its_moment_and_a_signature_over_both_and_its_bytes(receiver: Receiver) -> None:
    outcome = attempt(receiver.url())
    assert outcome == Outcome("accepted", "the receiver answered 204", 204)
    (request,) = receiver.received
    assert request.body == MESSAGE.body
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert (request.headers["webhook-id"], request.headers["webhook-timestamp"]) == ("msg_1", "1614265330")
    assert request.headers["webhook-signature"] == f"v1,{by_hand(SECRET, request)}"
    assert "gs1-signature" not in request.headers


def by_hand(secret: bytes, request: Received) -> str:
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    return base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def test_while_a_secret_is_exchanged_both_sign_and_another_header_repeats_it(receiver: Receiver) -> None:
    sender = Sender(Guard(private=True))
    message = MESSAGE._replace(also_signed_in="GS1-Signature")
    asyncio.run(sender.send(receiver.url(), message, [NEXT_SECRET, SECRET], NOW))
    (request,) = receiver.received
    both = f"v1,{by_hand(NEXT_SECRET, request)} v1,{by_hand(SECRET, request)}"
    assert request.headers["webhook-signature"] == request.headers["gs1-signature"] == both


def test_without_a_secret_nothing_claims_to_be_signed(receiver: Receiver) -> None:
    asyncio.run(Sender(Guard(private=True)).send(receiver.url(), MESSAGE, [], NOW))
    assert "webhook-signature" not in receiver.received[0].headers


# ------------------------------------------------------------------ what the receiver does

BAD_ANSWERS: dict[str, tuple[Behaviour, int | None, str]] = {
    "an error": (says(500), 500, "answered 500"),
    "a redirect": (says(307, "Location: http://127.0.0.1:1/\r\n"), 307, "redirects are not followed"),
    "not HTTP": (sends(b"220 mail.example ESMTP\r\n"), None, "not an answer of HTTP"),
    "a broken answer": (sends(b""), None, "not an answer of HTTP"),
    "headers without end": (without_end(b"HTTP/1.1 200 OK\r\nX: "), None, "not an answer of HTTP"),
}


@pytest.mark.parametrize(("behaviour", "status", "said"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_what_is_no_acceptance_fails_with_a_sentence(
    receiver: Receiver, behaviour: Behaviour, status: int | None, said: str
) -> None:
    receiver.will(behaviour)
    outcome = attempt(receiver.url())
    assert (outcome.kind, outcome.status) == ("failed", status)
    assert said in outcome.said


def test_a_redirect_leads_nowhere(receiver: Receiver) -> None:
    receiver.will(says(301, f"Location: {receiver.url('/elsewhere')}\r\n"))
    attempt(receiver.url())
    assert receiver.at("/elsewhere") == []


def test_a_receiver_that_is_gone_says_so_for_good(receiver: Receiver) -> None:
    receiver.will(says(410))
    assert attempt(receiver.url()).kind == "gone"


@pytest.mark.parametrize(
    ("header", "asked_ms"),
    [
        ("Retry-After: 7", 7_000),
        ("Retry-After: Thu, 25 Feb 2021 15:02:40 GMT", 30_000),
        ("Retry-After: Thu, 25 Feb 2021 15:00:00 GMT", 0),
        ("Retry-After: soon", 0),
        ("Retry-After: -5", 0),
        ("Retry-After: 99999999999999999999", 10_000_000_000),
        ("X: y", 0),
    ],
)
def test_how_long_a_receiver_wants_to_be_left_alone_is_handed_on(
    receiver: Receiver, header: str, asked_ms: int
) -> None:
    receiver.will(says(503, f"{header}\r\n"))
    assert attempt(receiver.url()) == Outcome("failed", "the receiver answered 503", 503, asked_ms)


def test_who_never_answers_is_left_after_the_time_that_is_stated(receiver: Receiver) -> None:
    receiver.will(never)
    outcome = attempt(receiver.url(), sender=Sender(Guard(private=True), answer_s=0.2))
    assert outcome == Outcome("failed", "no answer came within 0.2 s")


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"]
)
def test_an_answer_without_end_is_left_after_its_first_kilobytes(receiver: Receiver, head: bytes) -> None:
    receiver.will(without_end(head))
    assert attempt(receiver.url()).kind == "accepted"


def head_alone(stream: socket.socket, ends: threading.Event) -> None:
    stream.sendall(b"HTTP/1.1 202 A\r\nContent-Length: 5\r\n\r\n")
    ends.wait()


def test_a_body_that_never_comes_takes_nothing_from_the_acceptance(receiver: Receiver) -> None:
    receiver.will(head_alone)
    assert attempt(receiver.url(), sender=Sender(Guard(private=True), answer_s=20)).kind == "accepted"


def test_nobody_at_home_fails_with_a_sentence(receiver: Receiver) -> None:
    with receiver:
        url = receiver.url()
    outcome = attempt(url)
    assert outcome.kind == "failed"
    assert "nobody listens there" in outcome.said


def test_a_secret_is_in_no_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        attempt(receiver.url())
    assert base64.b64encode(SECRET).decode() not in caplog.text
    assert SECRET.decode() not in caplog.text


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and 127.0.0.1, with its key, that nobody but who is handed it trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + certificate.public_bytes(pem))
    return path


@pytest.fixture
def tls_receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Receiver(context) as receiver:
        yield receiver


def test_a_receiver_whose_certificate_is_trusted_gets_its_message(tls_receiver: Receiver, certificate: Path) -> None:
    trusting = Sender(Guard(private=True), ssl.create_default_context(cafile=str(certificate)))
    assert attempt(tls_receiver.url(host="localhost"), sender=trusting).kind == "accepted"


def test_a_receiver_that_shows_another_name_or_an_unknown_certificate_gets_nothing(
    tls_receiver: Receiver, certificate: Path
) -> None:
    trusting = Sender(Guard(private=True), ssl.create_default_context(cafile=str(certificate)))
    for url, sender in ((tls_receiver.url(), trusting), (tls_receiver.url(host="localhost"), None)):
        outcome = attempt(url, sender=sender)
        assert outcome.kind == "failed"
        assert "certificate" in outcome.said
    assert tls_receiver.received == []


# ------------------------------------------------------------------ where nothing is sent

PRIVATE = """
    127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1
    192.0.0.1 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b:1::1 100::1
    fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 4000::1
""".split()
PUBLIC = "1.1.1.1 114.114.114.114 2606:4700:4700::1111 2400:3200::1 ::ffff:1.1.1.1 64:ff9b::101:101".split()


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_the_internets_is_none_to_send_to(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_one_to_send_to(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


BAD_URLS = {
    "http://receiver.example/": "https://",
    "ftp://receiver.example/": "https://",
    "//receiver.example/": "https://",
    "https://": "names no host",
    "https:///path": "names no host",
    "https://u@receiver.example/": "user",
    "https://u:p@receiver.example/": "user",
    "https://@receiver.example/": "user",
    "https://receiver.example/#part": "fragment",
    "https://receiver.example/#": "fragment",
    "https://receiver.example:22/": "port 22",
    "https://receiver.example:80/": "port 80",
    "https://receiver.example:0/": "port 0",
    "https://receiver.example:99999/": "not a URL",
    "https://receiver.example:abc/": "not a URL",
    "https://[::1/": "not a URL",
    "https://例.example/": "xn--",
    "https://receiver.example/a b": "blanks",
    "https://receiver.example\\@127.0.0.1/": "blanks",
    "https://receiver.example/\r\nX: y": "blanks",
    "https://receiver.example/" + "a" * 2000: "2000",
    "https://127.0.0.1/": "not public",
    "https://[::1]/": "not public",
    "https://[::ffff:10.0.0.1]/": "not public",
    "https://169.254.169.254/latest/meta-data/": "not public",
}


@pytest.mark.parametrize(("url", "said"), BAD_URLS.items())
def test_a_url_that_nothing_is_sent_to_is_told_from_its_text(url: str, said: str) -> None:
    with pytest.raises(BadAddress, match=said):
        Guard().check_url(url)


@pytest.mark.parametrize("port", ["", ":443", ":1024", ":8443"])
def test_https_on_its_own_port_or_a_high_one_is_taken(port: str) -> None:
    Guard().check_url(f"https://receiver.example{port}/hook?of=co_01")


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1"])
def test_a_name_that_leads_into_the_house_gets_nothing(receiver: Receiver, host: str) -> None:
    outcome = attempt(f"https://{host}:{receiver.port}/hook", sender=Sender(Guard()))
    assert outcome.kind == "failed"
    assert "not public" in outcome.said
    assert receiver.received == []


def test_one_private_address_among_public_ones_is_enough_to_send_nothing(receiver: Receiver) -> None:
    async def both(host: str, port: int) -> Sequence[Address]:
        return [ipaddress.ip_address("1.1.1.1"), ipaddress.ip_address("127.0.0.1")]

    outcome = attempt(f"https://receiver.example:{receiver.port}/", sender=Sender(Guard(), resolver=both))
    assert "not public" in outcome.said
    assert receiver.received == []


def test_a_name_is_resolved_once_for_a_connection_and_the_address_that_was_looked_at_is_taken(
    receiver: Receiver,
) -> None:
    asked: list[str] = []

    async def changes_its_mind(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "192.0.2.1")]

    sender = Sender(Guard(private=True), resolver=changes_its_mind)
    assert attempt(f"http://receiver.example:{receiver.port}/hook", sender=sender).kind == "accepted"
    assert asked == ["receiver.example"]
    assert receiver.received[0].headers["host"] == f"receiver.example:{receiver.port}"


def test_the_next_address_is_tried_where_nobody_listens_at_the_first(receiver: Receiver) -> None:
    async def two(host: str, port: int) -> Sequence[Address]:
        return [ipaddress.ip_address("127.0.0.2"), ipaddress.ip_address("127.0.0.1")]

    assert attempt(receiver.url(), sender=Sender(Guard(private=True), resolver=two)).kind == "accepted"


@pytest.mark.parametrize("host", ["no-such-name.invalid", "x" * 64 + ".invalid"])
def test_a_name_that_nobody_has_fails_with_a_sentence(host: str) -> None:
    outcome = attempt(f"https://{host}/", sender=Sender(Guard()))
    assert "leads nowhere" in outcome.said


def test_the_systems_resolver_reads_an_address_as_itself() -> None:
    found = asyncio.run(resolve("::1", 443))
    assert found == [ipaddress.ip_address("::1")]


# ------------------------------------------------------------------ when it is tried again


def test_waits_grow_from_seconds_to_hours_and_no_further() -> None:
    bounds = [bound_ms(failed) for failed in range(1, 40)]
    assert bounds[:3] == [20_000, 80_000, 320_000]
    assert bounds == sorted(bounds)
    assert bounds[-1] == LONGEST_MS


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True), st.integers(0, 10**12))
def test_a_wait_lies_between_a_second_and_its_bound_unless_the_receiver_asks_for_more(
    failed: int, draw: float, asked_ms: int
) -> None:
    assert 1000 <= wait_ms(failed, draw) <= bound_ms(failed)
    assert wait_ms(failed, draw, asked_ms) >= min(asked_ms, LONGEST_MS)
    assert wait_ms(failed, draw, asked_ms) <= LONGEST_MS


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1))
def test_whatever_is_drawn_a_message_is_tried_for_three_days_and_not_for_four(draws: list[float]) -> None:
    now, failed = 0, 0
    while not is_given_up(0, now) and failed < 5000:
        failed += 1
        now += wait_ms(failed, draws[failed % len(draws)])
    assert failed == 5000 or LASTING_MS <= now <= LASTING_MS + LONGEST_MS


def test_with_even_luck_some_twenty_attempts_are_made() -> None:
    now, failed = 0, 0
    while not is_given_up(0, now):
        failed += 1
        now += wait_ms(failed, 0.5)
    assert 15 <= failed <= 30
