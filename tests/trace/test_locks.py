"""Locks of the regulator: who is stopped by one, until when, and whose word ends it."""

from itertools import permutations
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace.admission import decide_fill
from cylinder_trace.authority import next_authority_state
from cylinder_trace.chain import EMPTY, Head, seal
from cylinder_trace.dates import DAY_MS, HOUR_MS, format_minute
from cylinder_trace.events import (
    AuthorityKeyRevoked,
    AuthorityKeyTrusted,
    CompanyLicenceNoted,
    Event,
    FillingLocked,
    FillingUnlocked,
    ScaleLocked,
    StationLicensed,
    state_event,
)
from cylinder_trace.locks import (
    Lock,
    LockNoteError,
    LockWords,
    all_told,
    check_lock_note,
    lock_at,
    lock_text,
    sign_lock,
    standing_locks,
)
from cylinder_trace.reasons import REASONS, sentence
from cylinder_trace.station import StationState, facts_for, next_station_state
from vectors.admission.cases import base_case

GOOD = base_case()
START = GOOD.now
REQUEST = GOOD.request.model_copy(update={"station_id": "st_1"})
REGULATOR = SigningKey("au_1", bytes(range(32)))
KNOWN = [REGULATOR.verifying_key]
STRANGER = SigningKey("au_1", bytes(32))


def words(locked: bool = True, at: int = 0, **about: Any) -> LockWords:
    facts = {"id": f"act.{locked}.{at}", "locked": locked, "station_id": "st_1", "target": "station"}
    more = {"authority_id": "au_1", "occurred_at": START + at, "cause": "复查 a second look"}
    return LockWords(**{**facts, **more, **about})


def told(locked: bool = True, at: int = 0, key: SigningKey | None = REGULATOR, **about: Any) -> Lock:
    said = words(locked, at, **about)
    return Lock(**said.model_dump(), note=sign_lock(said, key) if key else None)


def stops(*locks: Lock, scale_id: str = "sc_1", lane: int = 1, now: int = START) -> bool:
    return lock_at(standing_locks(locks, KNOWN), scale_id, lane, now) is not None


def test_a_lock_stops_its_scale_its_lane_or_the_whole_station_and_nothing_else() -> None:
    assert stops(told())
    assert stops(told(), scale_id="sc_2", lane=2)
    assert stops(told(target="scale", scale_id="sc_1"))
    assert not stops(told(target="scale", scale_id="sc_2"))
    assert stops(told(target="lane", lane=1))
    assert not stops(told(target="lane", lane=2))


def test_a_lock_ends_at_its_moment_and_one_without_an_end_does_not() -> None:
    until = START + DAY_MS
    assert stops(told(until=until), now=until - 1)
    assert not stops(told(until=until), now=until)
    assert stops(told(), now=START + 1000 * DAY_MS)
    assert stops(told(until=until), told(at=1), now=until)


@pytest.mark.parametrize("key", [None, STRANGER], ids=["nobody", "a stranger"])
def test_a_lock_counts_whoever_signed_it_and_an_unlocking_only_under_a_known_key(key: SigningKey | None) -> None:
    unproved = standing_locks([told(key=key)], KNOWN)
    assert [lock.signed_by for lock in unproved] == [None]
    assert stops(told(key=key))
    assert stops(told(), told(False, 1, key=key))
    assert not stops(told(), told(False, 1))


def test_an_unlocking_ends_what_came_before_it_at_its_place_and_can_be_used_no_second_time() -> None:
    unlocked = told(False, 5)
    assert not stops(told(at=1), told(at=2), unlocked)
    assert stops(told(at=1), unlocked, told(at=6))
    assert stops(told(at=5), unlocked), "of one moment the lock holds"
    assert stops(told(target="scale", scale_id="sc_1"), unlocked), "a scale is unlocked by itself"


def test_a_note_is_about_one_act_alone_and_its_key_speaks_for_its_own_authority() -> None:
    note = sign_lock(words(until=START + HOUR_MS), REGULATOR)
    assert check_lock_note(note, words(until=START + HOUR_MS), KNOWN) == "au_1"
    for other in ({"until": None}, {"station_id": "st_2"}, {"target": "lane", "lane": 1}, {"locked": False},
                  {"occurred_at": START + 1}, {"id": "act.2"}, {"cause": "x"}):  # fmt: skip
        said = words().model_copy(update={"until": START + HOUR_MS, **other})
        with pytest.raises(LockNoteError, match="another act"):
            check_lock_note(note, said, KNOWN)
    with pytest.raises(LockNoteError):
        sign_lock(words(authority_id="au_2"), REGULATOR)
    department = SigningKey("au_1/measuring", bytes(range(32)))
    assert check_lock_note(sign_lock(words(), department), words(), [department.verifying_key]) == "au_1/measuring"
    with pytest.raises(LockNoteError):
        check_lock_note(sign_lock(words(), department), words(), KNOWN)


def test_the_signed_text_is_the_one_on_the_page() -> None:
    said = words(target="scale", scale_id="sc_01_3", until=START + 1)
    assert lock_text(said) == (
        "pinglian-lock/1\nact.True.0\nLOCK\nstation/st_1\nscale sc_01_3\nau_1\n"
        f"{START + 1}\n{START}\n复查 a second look\n"
    )


def test_who_tells_less_or_of_an_earlier_end_ends_no_lock_by_that() -> None:
    lock = told(until=START + DAY_MS)
    sooner = lock.model_copy(update={"until": START + 1})
    assert all_told([lock], []) == (lock,)
    assert all_told([lock], [sooner]) == (lock,)
    assert all_told([sooner], [lock]) == (lock,)
    undone = lock.model_copy(update={"locked": False})
    assert all_told([lock], [undone]) == (lock,)
    endless = lock.model_copy(update={"until": None})
    assert all_told([endless], [lock]) == (endless,)


def state_after(*stated: tuple[Event, int]) -> StationState:
    state, head = None, EMPTY
    for number, (event, at) in enumerate(stated):
        record = state_event(event, id=f"act-{at}", subject="station/st_1", occurred_at=START + at, by="r")
        sealed = seal(record, head, START + HOUR_MS + number)
        state = next_station_state(state, sealed.entry, event)
        head = Head(state.n, EMPTY.hash)
    assert state is not None
    return state


def locking(**about: Any) -> FillingLocked:
    return FillingLocked(**{"target": "station", "authority_id": "au_1", "cause": "x", **about})


def unlocking(**about: Any) -> FillingUnlocked:
    fields = {"target": "station", "authority_id": "au_1", "cause": "x", "note": "n", "signed_by": "au_1"}
    return FillingUnlocked(**{**fields, **about})


def test_in_whatever_order_locks_and_unlockings_are_told_the_same_ones_stand() -> None:
    acts: list[tuple[Event, int]] = [
        (locking(), 1),
        (unlocking(), 2),
        (locking(until=START + DAY_MS), 3),
        (locking(target="lane", lane=2), 4),
    ]
    ends = {state_after(*order).model_dump_json(exclude={"locks", "said_at"}) for order in permutations(acts)}
    assert len(ends) == 1
    standing = {tuple(lock.id for lock in standing_locks((state_after(*order).locks or {}).values()))
                for order in permutations(acts)}  # fmt: skip
    assert len(standing) == 1


def test_unlocking_a_scale_also_ends_a_lock_of_the_kind_before() -> None:
    scale = {"target": "scale", "scale_id": "sc_1"}
    before = ScaleLocked(scale_id="sc_1", authority_id="au_1", cause="x")
    assert state_after((before, 1)).scales["sc_1"].locked
    assert not state_after((before, 1), (unlocking(**scale), 2)).scales["sc_1"].locked
    assert state_after((unlocking(**scale), 2), (before, 3)).scales["sc_1"].locked


def test_the_refusal_says_what_is_locked_by_whom_and_until_when() -> None:
    request = GOOD.request.model_copy(update={"station_id": "st_1", "lane": 3})
    state = state_after((locking(target="lane", lane=3, until=START + HOUR_MS), 1))
    facts = facts_for(state, request, START, 0, now=START + 2)
    decision = decide_fill(request, GOOD.cylinder, facts, GOOD.book, START + 2)
    refusal = next(reason for reason in decision.reasons if reason.code == "R63")
    until = format_minute(START + HOUR_MS)
    assert sentence(REASONS["R63"], refusal.detail, "zh") == f"本工位已由 au_1 锁定至 {until}(签名未能核验)"
    english = f"Authority au_1 has locked this lane until {until}, Beijing time (its signature could not be verified)"
    assert sentence(REASONS["R63"], refusal.detail, "en") == english
    assert not facts_for(state, request, START, 0, now=START + HOUR_MS).scale_locked


def test_a_company_whose_licence_is_suspended_fills_at_none_of_its_stations() -> None:
    licensed = StationLicensed(company_id="co_1", licence_no="L", valid_until="2029-12-31", region="33")
    noted = CompanyLicenceNoted(company_id="co_1", licence_no="L", standing="suspended")
    again = noted.model_copy(update={"standing": "valid"})
    other = licensed.model_copy(update={"company_id": "co_2"})

    def suspended(*told: Event) -> bool:
        return facts_for(state_after(*((event, at) for at, event in enumerate(told))), REQUEST, 0, 0).licence_suspended

    assert suspended(licensed, noted)
    assert suspended(noted, licensed)
    assert not suspended(licensed, noted, again)
    assert not suspended(licensed, noted, other), "the station went to another company"


def test_a_key_of_an_authority_that_was_revoked_is_trusted_no_more() -> None:
    vkey = format_vkey(KNOWN[0])
    told: list[Event] = [AuthorityKeyTrusted(vkey=vkey), AuthorityKeyRevoked(vkey=vkey, cause="lost")]
    state, trusted = None, []
    for number, event in enumerate([*told, told[0]]):
        record = state_event(event, id=f"k-{number}", subject="authority/au_1", occurred_at=START, by="admin")
        state = next_authority_state(state, seal(record, Head(number, EMPTY.hash), START).entry, event)
        trusted.append(len(state.trusted()))
    assert trusted == [1, 0, 0]
