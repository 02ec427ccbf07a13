"""A log for each province, and one of the nation whose entries are the provinces' checkpoints (检查点之检查点).

The plan of docs/capacity.md needs nothing but what is there: a signed checkpoint is a text, and a text can be an entry.
"""

from dataclasses import dataclass, field

import pytest

from cylinder_codes.keys import SigningKey
from cylinder_trace.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from cylinder_trace.merkle import (
    HashesInMemory,
    ProofError,
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
)


@dataclass
class Log:
    """A log in memory: its entries, and its key."""

    key: SigningKey
    entries: list[bytes] = field(default_factory=list)

    @property
    def hashes(self) -> HashesInMemory:
        return HashesInMemory([leaf_hash(entry) for entry in self.entries])

    def publish(self) -> str:
        """The signed checkpoint of all entries."""
        size = len(self.entries)
        return sign_checkpoint(Checkpoint(origin=self.key.name, size=size, root=root_hash(size, self.hashes)), self.key)

    def prove(self, index: int) -> list[bytes]:
        return prove_inclusion(index, len(self.entries), self.hashes)

    def open(self, note: str) -> Checkpoint:
        return open_checkpoint(note, [self.key.verifying_key])


def log(name: str, number: int) -> Log:
    return Log(SigningKey(name, bytes([number]) * 32))


@pytest.fixture
def nation() -> Log:
    return log("nation.example/checkpoints", 99)


@pytest.fixture
def provinces(nation: Log) -> list[Log]:
    """Three logs of different sizes; each has handed two checkpoints to the nation's."""
    logs = [log(f"province-{number}.example/cylinders", number) for number in (1, 2, 3)]
    for size in (5, 300):
        for number, province in enumerate(logs):
            province.entries += [f"{province.key.name} {size} {entry}".encode() for entry in range(size + number)]
            nation.entries.append(province.publish().encode())
    return logs


def test_an_entry_of_a_province_is_proven_under_the_nation_s_checkpoint(nation: Log, provinces: list[Log]) -> None:
    province, index = provinces[1], 17
    top = nation.open(nation.publish())
    handed_in = nation.entries[4]  # the second checkpoint of the second province
    check_inclusion(leaf_hash(handed_in), 4, top.size, nation.prove(4), top.root)
    below = province.open(handed_in.decode())
    check_inclusion(leaf_hash(province.entries[index]), index, below.size, province.prove(index), below.root)


def test_a_province_that_rewrites_its_past_cannot_go_on_from_what_the_nation_holds(
    nation: Log, provinces: list[Log]
) -> None:
    province, held = provinces[0], provinces[0].open(nation.entries[3].decode())
    province.entries.append(b"the next entry")
    size = len(province.entries)
    honest = prove_consistency(held.size, size, province.hashes)
    check_consistency(held.size, size, honest, held.root, root_hash(size, province.hashes))
    province.entries[2] = b"something else"
    rewritten, root = prove_consistency(held.size, size, province.hashes), root_hash(size, province.hashes)
    with pytest.raises(ProofError):
        check_consistency(held.size, size, rewritten, held.root, root)


def test_a_checkpoint_that_was_never_handed_in_has_no_proof(nation: Log, provinces: list[Log]) -> None:
    province, top = provinces[2], nation.open(nation.publish())
    province.entries.append(b"shown to one, and not to the nation")
    kept_back = leaf_hash(province.publish().encode())
    for index in range(top.size):
        with pytest.raises(ProofError):
            check_inclusion(kept_back, index, top.size, nation.prove(index), top.root)
