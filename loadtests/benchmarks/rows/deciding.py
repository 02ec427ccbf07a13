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
from cylinder_trace.decision_note import Signers, inputs_hash, sign_decision
from cylinder_trace.events import FillDecided, Record, RulebookPublished, state_event
from cylinder_trace.redecide import retake_decisions
from cylinder_trace.rulebook import Rulebook, parse_rulebook

_DECISIONS_A_SECOND = 10_000
_DECISIONS_OF_A_CYLINDER = 20
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
    texts = _texts(scale, _key())
    yield Pair(lambda: _replayed_a_second(texts, None), other=lambda: float(_DECISIONS_A_SECOND))


@contextmanager
def _prepare_replay_signed(scale: Scale) -> Iterator[Pair]:
    key, message, count = _key(), secrets.token_bytes(300), scale.count(2000)
    texts, signature = _texts(scale, key), key.sign(message)
    yield Pair(
        ours=lambda: _replayed_a_second(texts, Signers([key.verifying_key])),
        other=lambda: 1e6 / _us_each(count, lambda: key.verifying_key.verify(signature, message)),
    )


def _texts(scale: Scale, key: SigningKey) -> list[bytes]:
    return [text for text, _ in _past(scale.count(20_000), key)]


def _replayed_a_second(texts: list[bytes], signers: Signers | None) -> float:
    started, count = time.perf_counter(), 0
    for taken in retake_decisions(lambda: iter(texts), signers=signers):
        count += 1
        if taken.note_fault or not taken.same:
            raise AssertionError("a stored decision does not come out the same again")
    return count / (time.perf_counter() - started)


def _past(decisions: int, key: SigningKey) -> list[Stored]:
    """A rulebook, cylinders, and so many decisions about them in turn, sealed as a ledger would."""
    book, cylinders = national_rulebook(), max(1, decisions // _DECISIONS_OF_A_CYLINDER)
    heads: dict[str, Head] = {}
    text = _book_text()
    published = RulebookPublished(rulebook_id=book.rulebook_id, version=book.version, text=text)
    records = [state_event(published, id="book", subject="rulebook/cn-default", occurred_at=NOW, by="authority")]
    records += [samples.registration(number) for number in range(cylinders)]
    records += [_decided(number, cylinders, key, book) for number in range(decisions)]
    return [_sealed(record, heads) for record in records]


def _sealed(record: Record, heads: dict[str, Head]) -> Stored:
    sealed = seal(record, heads.get(record.subject, EMPTY), record.occurred_at)
    heads[record.subject] = next_head(sealed)
    return sealed.text, sealed.hash


def _decided(number: int, cylinders: int, key: SigningKey, book: Rulebook) -> Record:
    subject = samples.registration(number % cylinders).subject
    state = _registered(number % cylinders).model_copy(update={"n": 1 + number // cylinders})
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

REPLAY_SIGNED = Row(
    name="trace.replay_signed",
    unit="/s",
    better="higher",
    goal=0.4,
    kind="bound",
    against="one Ed25519 verify for each decision",
    prepare=_prepare_replay_signed,
)
"""The same with the note of each decision checked, as `cylinder-trace replay` does."""
