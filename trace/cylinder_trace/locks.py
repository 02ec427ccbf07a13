"""Locks on filling (监管锁停): which stand at a moment, and the note in which an authority signs them.

    pinglian-lock/1
    au_01.2026.000009
    LOCK                                            or: UNLOCK
    station/st_01
    scale sc_01_3                                   or: lane 3, or: station
    au_01
    1795399200000                                   the end, UTC ms; or: -
    1795312800000                                   occurred at, UTC ms
    检定铅封破损 broken seal

    — au_01 QkVpJ…

The key's name is the authority's id, or begins with it and a "/", so a key speaks for no other authority.  A lock
counts whether or not its note can be verified: to stop gas, a stranger's word is enough.  To let it flow again it is
not: `standing_locks` drops a lock only for an unlocking that one of the keys handed in has signed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from cylinder_codes.keys import SigningKey, VerifyingKey
from cylinder_codes.note import NoteError, open_note, sign_note
from cylinder_trace.decision import StandingLock
from cylinder_trace.values import Count, Frozen, Id, Instant, LongText, Text
from cylinder_trace.vocabulary.locking import FillingLocked, FillingUnlocked, LockTarget

HEADER = "pinglian-lock/1"


class LockNoteError(ValueError):
    """The note is about something else, or not signed by a key of its authority that one trusts."""


class LockWords(Frozen):
    """What an authority signs: the whole act, and nothing that is found out later."""

    id: Id
    locked: bool
    station_id: Id
    target: LockTarget
    lane: Count | None = None
    scale_id: Id | None = None
    authority_id: Id
    until: Instant | None = None
    occurred_at: Instant
    cause: Text

    @property
    def place(self) -> str:
        """``station``, ``lane 3`` or ``scale sc_01_3``."""
        return place_of(self.target, self.lane, self.scale_id)


class Lock(LockWords):
    """A lock or an unlocking as the ledger has it."""

    note: LongText | None = None
    signed_by: Text | None = None
    """The key that whoever tells of the lock found below its note."""


def place_of(target: LockTarget, lane: int | None, scale_id: str | None) -> str:
    """The place in one word or two, as it is signed."""
    return target if target == "station" else f"{target} {lane if target == 'lane' else scale_id}"


def lock_text(words: LockWords) -> str:
    """What is signed."""
    lines = (
        HEADER,
        words.id,
        "LOCK" if words.locked else "UNLOCK",
        f"station/{words.station_id}",
        words.place,
        words.authority_id,
        "-" if words.until is None else words.until,
        words.occurred_at,
        words.cause,
    )
    return "".join(f"{line}\n" for line in lines)


def sign_lock(words: LockWords, key: SigningKey) -> str:
    """The note in which the holder of `key` states the lock; raises LockNoteError for another authority's key."""
    if not speaks_for(key.verifying_key, words.authority_id):
        raise LockNoteError(f"the key is called {key.name}; one of authority {words.authority_id} begins with its id")
    return sign_note(lock_text(words), key)


def check_lock_note(note: str, words: LockWords, known: Sequence[VerifyingKey]) -> str:
    """The name of the key that signed; raises LockNoteError."""
    keys = [key for key in known if speaks_for(key, words.authority_id)]
    try:
        opened = open_note(note, keys)
    except NoteError as error:
        raise LockNoteError(str(error)) from error
    if opened.text != lock_text(words):
        raise LockNoteError(f"the note is about another act than {words.id} as it is stated")
    return opened.verified_by[0].name


def speaks_for(key: VerifyingKey, authority_id: str) -> bool:
    """Whether the key's name says that it is this authority's."""
    return key.name == authority_id or key.name.startswith(f"{authority_id}/")


def signer_of(lock: Lock, known: Sequence[VerifyingKey]) -> str | None:
    """The name of the known key that signed; None if none did."""
    try:
        return check_lock_note(lock.note or "", LockWords(**{name: getattr(lock, name) for name in _WORDS}), known)
    except LockNoteError:
        return None


_WORDS = tuple(LockWords.model_fields)


def stated_lock(event: FillingLocked | FillingUnlocked, id: str, station_id: str, occurred_at: int) -> Lock:
    """The lock or unlocking that an event of a station's chain states."""
    fields = event.model_dump(exclude_none=True)
    locked = isinstance(event, FillingLocked)
    return Lock(id=id, locked=locked, station_id=station_id, occurred_at=occurred_at, **fields)


def with_lock(told: Mapping[str, Lock], lock: Lock) -> dict[str, Lock]:
    """What is told of a station's locks after one more: every lock by its id, of the unlockings each place's last."""
    if lock.locked:
        return {**told, lock.id: lock}
    key = f"unlocked {lock.place}"  # no id has a blank in it
    return {**told, key: max(told.get(key, lock), lock, key=lambda one: (one.occurred_at, one.id))}


def standing_locks(told: Iterable[Lock], known: Sequence[VerifyingKey] | None = None) -> tuple[Lock, ...]:
    """The locks that no unlocking has ended, the expired ones too, in the order of their moments.

    With `known` an unlocking counts only under one of these keys, and each lock's `signed_by` is what they show;
    without it both are as they were told.  An unlocking of the same moment as a lock does not end it.
    """
    all_told = tuple(told)
    ends: dict[str, int] = {}
    for unlocking in all_told:
        if not unlocking.locked and (known is None or signer_of(unlocking, known)):
            ends[unlocking.place] = max(unlocking.occurred_at, ends.get(unlocking.place, 0))
    standing = [lock for lock in all_told if lock.locked and lock.occurred_at >= ends.get(lock.place, 0)]
    if known is not None:
        standing = [lock.model_copy(update={"signed_by": signer_of(lock, known)}) for lock in standing]
    return tuple(sorted(standing, key=lambda lock: (lock.occurred_at, lock.id)))


def all_told(before: Iterable[Lock], now: Iterable[Lock]) -> tuple[Lock, ...]:
    """What was ever told, by id: who tells less, or of an earlier end, ends no lock by that."""
    told = {lock.id: lock for lock in before}
    for lock in now:
        told[lock.id] = _stricter(told[lock.id], lock) if lock.id in told else lock
    return tuple(told.values())


def _stricter(one: Lock, other: Lock) -> Lock:
    if one.locked != other.locked:
        return one if one.locked else other
    return one if one.until is None or (other.until is not None and one.until > other.until) else other


def lock_at(locks: Iterable[Lock], scale_id: str, lane: int, now: int) -> StandingLock | None:
    """The lock that stops this scale at this lane at the moment `now`; of several the one that ends last."""
    places = ("station", f"lane {lane}", f"scale {scale_id}")
    stopping = [lock for lock in locks if lock.place in places and (lock.until is None or now < lock.until)]
    if not stopping:
        return None
    lock = max(stopping, key=lambda lock: (lock.until is None, lock.until or 0, lock.id))
    proof: Literal["signed", "unverified"] = "signed" if lock.signed_by else "unverified"
    return StandingLock(target=lock.target, authority_id=lock.authority_id, until=lock.until, proof=proof)
