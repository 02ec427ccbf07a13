"""Rows about what follows on a decision: its signed record, and taking it again."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measure import Pair, Row, Scale
from benchmarks.rows import samples
from benchmarks.rows.samples import NOW, cylinder, fill_request, station_facts
from cylinder_codes.keys import SEED_BYTES, SigningKey
from cylinder_trace.admission import decide_fill
from cylinder_trace.chain import EMPTY, Head, next_head, seal
from cylinder_trace.cylinder import CylinderState, replay
from cylinder_trace.decision_note import inputs_hash, sign_decision
from cylinder_trace.events import FillDecided, Record, RulebookPublished, state_event
from cylinder_trace.redecide import retake_decisions
from cylinder_trace.rulebook import Rulebook, parse_rulebook

_DECISIONS_A_SECOND = 10_000
_CYLINDERS = 1000
Stored = tuple[bytes, bytes]


@contextmanager
def _prepare_decision_record(scale: Scale) -> Iterator[Pair]:
    key, message, count = _key(), secrets.token_bytes(300), scale.count(2000)
    judge = Ed25519PrivateKey.generate()
    public, signature = judge.public_key(), judge.sign(message)
    state, book, request, facts = cylinder(), national_rulebook(), fill_request(), station_facts()

    def signed() -> str:
        decision = decide_fill(request, state, facts, book, NOW)
        return sign_decision(request, decision, inputs_hash(request, facts, decision), key)

    def ours() -> float:
        return _us_each(count, signed)

    yield Pair(ours, other=lambda: _us_each(count, lambda: public.verify(signature, message)))


def _us_each(count: int, action: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(count):
        action()
    return (time.perf_counter() - started) * 1e6 / count


@contextmanager
def _prepare_replay(scale: Scale) -> Iterator[Pair]:
    texts = [text for text, _ in _past(scale.count(20_000))]

    def ours() -> float:
        started = time.perf_counter()
        retaken = list(retake_decisions(lambda: iter(texts)))
        took_s = time.perf_counter() - started
        if not all(item.same for item in retaken):
            raise AssertionError("a stored decision does not come out the same again")
        return len(retaken) / took_s

    yield Pair(ours, other=lambda: float(_DECISIONS_A_SECOND))


def _past(decisions: int) -> list[Stored]:
    """A rulebook, a thousand cylinders, and so many decisions about them in turn, sealed as a ledger would."""
    key, book = _key(), national_rulebook()
    heads: dict[str, Head] = {}
    text = _book_text()
    published = RulebookPublished(rulebook_id=book.rulebook_id, version=book.version, text=text)
    records = [state_event(published, id="book", subject="rulebook/cn-default", occurred_at=NOW, by="authority")]
    records += [samples.registration(number) for number in range(_CYLINDERS)]
    records += [_decided(number, key, book) for number in range(decisions)]
    return [_sealed(record, heads) for record in records]


def _sealed(record: Record, heads: dict[str, Head]) -> Stored:
    sealed = seal(record, heads.get(record.subject, EMPTY), record.occurred_at)
    heads[record.subject] = next_head(sealed)
    return sealed.text, sealed.hash


def _decided(number: int, key: SigningKey, book: Rulebook) -> Record:
    subject = samples.registration(number % _CYLINDERS).subject
    state = _registered(number % _CYLINDERS).model_copy(update={"n": 1 + number // _CYLINDERS})
    request = fill_request().model_copy(update={"check_id": f"check-{number}"})
    facts = station_facts()
    decision = decide_fill(request, state, facts, book, NOW)
    inputs = inputs_hash(request, facts, decision)
    event = FillDecided(
        request=request,
        station=facts,
        decision=decision,
        decided_by="service",
        inputs_sha256=inputs,
        note=sign_decision(request, decision, inputs, key),
    )
    return state_event(event, id=request.check_id, subject=subject, occurred_at=NOW, by="service")


@cache
def _registered(number: int) -> CylinderState:
    sealed = seal(samples.registration(number), EMPTY, NOW)
    state = replay([sealed.entry])
    assert state is not None
    return state


def _book_text() -> str:
    return files("cylinder_trace").joinpath("rulebooks/cn-default.toml").read_text(encoding="utf-8")


def national_rulebook() -> Rulebook:
    """The national default."""
    return parse_rulebook(_book_text())


def _key() -> SigningKey:
    return SigningKey("bench.example/ledger", secrets.token_bytes(SEED_BYTES))


DECISION_RECORD = Row(
    name="trace.decision_record",
    unit="µs",
    better="lower",
    goal=1.0,
    kind="bound",
    against="one Ed25519 verify",
    prepare=_prepare_decision_record,
)
"""A decision taken, its inputs hashed, the note signed; no disk."""

REPLAY = Row(
    name="trace.replay",
    unit="/s",
    better="higher",
    goal=1.0,
    kind="bound",
    against="the promise: 10,000 stored decisions a second and core",
    prepare=_prepare_replay,
)
"""Stored decisions taken again: parsing, states, all rules, hash of the inputs, comparison of the bytes."""
