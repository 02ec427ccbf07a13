"""A history bundle, checked offline: it holds as it was made, and a changed byte is refused by the step it breaks."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cylinder_codes.keys import SigningKey, format_vkey
from cylinder_trace import events
from cylinder_trace.chain import EMPTY, Head, next_head, seal
from cylinder_trace.checkpoint import Checkpoint, sign_checkpoint
from cylinder_trace.events import state_event
from cylinder_trace.merkle import HashesInMemory, root_hash
from cylinder_trace.proof import BundleError, HistoryBundle, Verdict, bundle_key, make_bundle, verify_bundle

KEY = SigningKey("ledger.example/cylinders", bytes(range(32)))
KNOWN = [KEY.verifying_key]
SUBJECT = "cylinder/cyl_1"


class Log:
    """Returns of three cylinders in turn, in one log of 20 entries with a checkpoint over all of them."""

    def __init__(self) -> None:
        self.hashes = HashesInMemory()
        self.texts: dict[str, list[bytes]] = {}
        self.last: dict[str, int] = {}
        heads: dict[str, Head] = {}
        for index in range(20):
            subject = f"cylinder/cyl_{index % 3}"
            event = events.Returned(station_id="station-1")
            record = state_event(event, id=f"act-{index}", subject=subject, occurred_at=index, by="account-1")
            sealed = seal(record, heads.get(subject, EMPTY), 1_000 + index)
            heads[subject] = next_head(sealed)
            self.hashes.append(sealed.hash)
            self.texts.setdefault(subject, []).append(sealed.text)
            self.last[subject] = index
        root = root_hash(20, self.hashes)
        self.checkpoint = sign_checkpoint(Checkpoint(origin=KEY.name, size=20, root=root), KEY)

    def bundle(self, texts: Sequence[bytes] | None = None, last_index: int | None = None) -> HistoryBundle:
        return make_bundle(
            SUBJECT,
            self.texts[SUBJECT] if texts is None else texts,
            self.last[SUBJECT] if last_index is None else last_index,
            20,
            self.hashes,
            self.checkpoint,
            format_vkey(KEY.verifying_key),
        )


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


def refused(bundle: HistoryBundle, step: int) -> str:
    with pytest.raises(BundleError, match=f"^step {step}: ") as caught:
        verify_bundle(bundle, KNOWN)
    return str(caught.value)


def test_a_bundle_shows_its_subject_its_entries_and_the_log_they_are_in(log: Log) -> None:
    verdict = verify_bundle(log.bundle(), KNOWN)
    assert verdict == Verdict(subject=SUBJECT, entries=7, origin="ledger.example/cylinders", size=20)


def test_a_bundle_comes_back_from_its_json(log: Log) -> None:
    again = HistoryBundle.model_validate_json(log.bundle().model_dump_json())
    assert again == log.bundle()
    assert verify_bundle(again, KNOWN).entries == 7


def test_the_key_that_a_bundle_names_is_good_for_trying_out(log: Log) -> None:
    assert bundle_key(log.bundle()) == KEY.verifying_key
    with pytest.raises(BundleError, match=r"^step 1: "):
        bundle_key(log.bundle().model_copy(update={"log_vkey": "nonsense"}))


def test_a_bundle_that_names_its_own_key_convinces_nobody_who_knows_the_real_one(log: Log) -> None:
    impostor = SigningKey(KEY.name, bytes(32))
    forged = sign_checkpoint(Checkpoint(origin=KEY.name, size=20, root=root_hash(20, log.hashes)), impostor)
    update = {"checkpoint": forged, "log_vkey": format_vkey(impostor.verifying_key)}
    assert "known key" in refused(log.bundle().model_copy(update=update), 1)


def test_every_byte_changed_in_an_entry_is_refused_by_its_place(log: Log) -> None:
    bundle = log.bundle()
    for place, entry in enumerate(bundle.entries):
        for at, char in enumerate(entry):
            changed = f"{entry[:at]}{chr(ord(char) ^ 1)}{entry[at + 1 :]}"
            entries = (*bundle.entries[:place], changed, *bundle.entries[place + 1 :])
            with pytest.raises(BundleError, match=r"^step [23]: ") as caught:
                verify_bundle(bundle.model_copy(update={"entries": entries}), KNOWN)
            message = str(caught.value)
            places = [f"entry {place} ", f"entry {place + 1} ", f"index {bundle.last_index}:"]
            assert any(named in message for named in places), message


def test_every_byte_changed_in_the_proof_is_refused(log: Log) -> None:
    bundle = log.bundle()
    for place, node in enumerate(bundle.inclusion_proof):
        for at, char in enumerate(node):
            changed = f"{node[:at]}{chr(ord(char) ^ 1)}{node[at + 1 :]}"
            proof = (*bundle.inclusion_proof[:place], changed, *bundle.inclusion_proof[place + 1 :])
            refused(bundle.model_copy(update={"inclusion_proof": proof}), 3)


def test_every_character_changed_in_the_checkpoint_is_refused(log: Log) -> None:
    bundle = log.bundle()
    for at, char in enumerate(bundle.checkpoint):
        changed = f"{bundle.checkpoint[:at]}{chr(ord(char) ^ 1)}{bundle.checkpoint[at + 1 :]}"
        refused(bundle.model_copy(update={"checkpoint": changed}), 1)


BENT: list[tuple[str, int, Callable[[HistoryBundle], dict[str, Any]]]] = [
    ("without entries", 2, lambda bundle: {"entries": ()}),
    ("without its first entry", 2, lambda bundle: {"entries": bundle.entries[1:]}),
    ("without one in the middle", 2, lambda bundle: {"entries": (*bundle.entries[:3], *bundle.entries[4:])}),
    ("without its last entry", 3, lambda bundle: {"entries": bundle.entries[:-1]}),
    ("with an entry twice", 2, lambda bundle: {"entries": (*bundle.entries, bundle.entries[-1])}),
    ("in another order", 2, lambda bundle: {"entries": bundle.entries[::-1]}),
    ("of another subject", 2, lambda bundle: {"subject": "cylinder/cyl_2"}),
    ("with something else for an entry", 2, lambda bundle: {"entries": ("{}", *bundle.entries[1:])}),
    ("at the place before", 3, lambda bundle: {"last_index": bundle.last_index - 1}),
    ("at the place after", 3, lambda bundle: {"last_index": bundle.last_index + 1}),
    ("at a place beyond the log", 3, lambda bundle: {"last_index": 20}),
    ("with an empty proof", 3, lambda bundle: {"inclusion_proof": ()}),
    ("with a shorter proof", 3, lambda bundle: {"inclusion_proof": bundle.inclusion_proof[:-1]}),
    ("with a longer proof", 3, lambda bundle: {"inclusion_proof": (*bundle.inclusion_proof, "A" * 43 + "=")}),
    ("with no checkpoint", 1, lambda bundle: {"checkpoint": ""}),
]


@pytest.mark.parametrize(("name", "step", "change"), BENT, ids=[name for name, _step, _change in BENT])
def test_a_bent_bundle_is_refused_by_its_step(
    log: Log, name: str, step: int, change: Callable[[HistoryBundle], dict[str, Any]]
) -> None:
    refused(log.bundle().model_copy(update=change(log.bundle())), step)


def test_an_entry_written_differently_but_meaning_the_same_is_not_the_stored_one(log: Log) -> None:
    bundle = log.bundle()
    spaced = json.dumps(json.loads(bundle.entries[-1]), sort_keys=True)
    refused(bundle.model_copy(update={"entries": (*bundle.entries[:-1], spaced)}), 3)


def test_an_older_bundle_stays_good_and_says_how_far_it_reaches(log: Log) -> None:
    older = log.bundle(log.texts[SUBJECT][:3], 7)
    assert verify_bundle(older, KNOWN).entries == 3
