"""Trust policy (C2SP tlog-policy): which logs count, which witnesses, and how many of them must have cosigned.

    log <vkey> [url]                 a log whose checkpoints count; several lines: any of them
    witness <name> <vkey> [url]      a witness, and its name in this file
    group <name> all|any|<k> <member> …
    quorum <name>|none               exactly one such line

A group has seen a checkpoint when at least k of its members have; a member is named on a line before and in one group
only. Empty lines and lines that begin with ``#`` say nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cylinder_codes.keys import KeyFormatError
from cylinder_codes.note import NoteError, open_note
from cylinder_trace.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from cylinder_trace.cosignature import ED25519_COSIGNATURE, CosignerKey, LogKey, parse_cosigner_key, parse_log_key

NO_QUORUM = "none"
_LARGEST = 1000
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


class PolicyError(ValueError):
    """Not a policy; the message names the line."""


class QuorumError(CheckpointError):
    """The log signed, but too few of the witnesses the policy asks for did."""


@dataclass(frozen=True, slots=True)
class Group:
    """So many of these members must have seen a checkpoint."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Whom one believes. With `quorum` None the log's signature is enough."""

    logs: tuple[LogKey, ...]
    witnesses: dict[str, CosignerKey] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    urls: dict[str, str] = field(default_factory=dict)
    """Where witnesses can be asked, for those that have an address."""


@dataclass(frozen=True, slots=True)
class Endorsed:
    """A checkpoint that the policy accepts, and the policy's names of the witnesses that cosigned it."""

    checkpoint: Checkpoint
    witnesses: tuple[str, ...]


def accept(note: str, policy: Policy) -> Endorsed:
    """The checkpoint in `note` if the policy accepts it; raises CheckpointError, QuorumError if only witnesses lack."""
    checkpoint = open_checkpoint(note, policy.logs)
    witnesses = _cosigned_by(note, policy)
    if policy.quorum is not None and not _has_seen(policy.quorum, policy, set(witnesses)):
        seen = ", ".join(witnesses) or "nobody"
        raise QuorumError(f"the policy asks for the witness or group {policy.quorum}; cosigned by {seen}")
    return Endorsed(checkpoint, witnesses)


def _cosigned_by(note: str, policy: Policy) -> tuple[str, ...]:
    # each witness on its own: one whose line was spoilt on the way does not take the others' word away
    return tuple(name for name, key in policy.witnesses.items() if _cosigned(note, key))


def _cosigned(note: str, key: CosignerKey) -> bool:
    try:
        return bool(open_note(note, [key]).verified_by)
    except NoteError:
        return False


def _has_seen(name: str, policy: Policy, witnesses: set[str]) -> bool:
    group = policy.groups.get(name)
    if group is None:
        return name in witnesses
    return sum(_has_seen(member, policy, witnesses) for member in group.members) >= group.needed


def parse_policy(text: str) -> Policy:
    """Read a policy file, or raise PolicyError naming the line."""
    if stray := _FORBIDDEN.search(text):
        raise PolicyError(f"a policy holds no control character U+{ord(stray.group()):04X}")
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.replace("\t", " ").split(" ")
        try:
            reading.take([word for word in words if word])
        except (PolicyError, KeyFormatError) as error:
            raise PolicyError(f"line {number} of the policy: {error}") from error
    return reading.policy()


class _Reading:
    """A policy as far as it has been read."""

    def __init__(self) -> None:
        self._logs: list[LogKey] = []
        self._witnesses: dict[str, CosignerKey] = {}
        self._groups: dict[str, Group] = {}
        self._in_groups: set[str] = set()
        self._quorums: list[str] = []
        self._urls: dict[str, str] = {}

    def take(self, words: Sequence[str]) -> None:
        if not words or words[0].startswith("#"):
            return
        lines = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        if words[0] not in lines:
            raise PolicyError(f"{words[0]!r} is none of log, witness, group, quorum")
        if len(self._logs) + len(self._witnesses) + len(self._groups) >= _LARGEST:
            raise PolicyError(f"more than {_LARGEST} logs, witnesses and groups")
        lines[words[0]](words[1:])

    def policy(self) -> Policy:
        if len(self._quorums) != 1:
            raise PolicyError(f"a policy has exactly one quorum line, not {len(self._quorums)}")
        quorum = None if self._quorums[0] == NO_QUORUM else self._quorums[0]
        return Policy(tuple(self._logs), self._witnesses, self._groups, quorum, self._urls)

    def _log(self, words: Sequence[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise PolicyError("it reads: log <vkey> [url]")
        key = parse_log_key(words[0])
        if isinstance(key, CosignerKey) and key.kind == ED25519_COSIGNATURE:
            raise PolicyError("a log's key is of kind 01 or 06")
        if key.public_bytes in {known.public_bytes for known in self._logs}:
            raise PolicyError("this log stands there twice")
        self._logs.append(key)

    def _witness(self, words: Sequence[str]) -> None:
        if not 2 <= len(words) <= 3:
            raise PolicyError("it reads: witness <name> <vkey> [url]")
        key = parse_cosigner_key(words[1])
        if key.public_bytes in {known.public_bytes for known in self._witnesses.values()}:
            raise PolicyError("this witness stands there twice")
        self._require_new(words[0])
        self._witnesses[words[0]] = key
        if len(words) == 3:
            self._urls[words[0]] = words[2]

    def _group(self, words: Sequence[str]) -> None:
        if len(words) < 3:
            raise PolicyError("it reads: group <name> all|any|<k> <member> …")
        name, needed, members = words[0], words[1], words[2:]
        self._require_new(name)
        for member in members:
            self._require_known(member)
            if member in self._in_groups:
                raise PolicyError(f"{member} is a member already")
            self._in_groups.add(member)
        self._groups[name] = Group(_threshold(needed, len(members)), tuple(members))

    def _quorum(self, words: Sequence[str]) -> None:
        if len(words) != 1:
            raise PolicyError("it reads: quorum <name>, or: quorum none")
        if words[0] != NO_QUORUM:
            self._require_known(words[0])
        self._quorums.append(words[0])

    def _require_new(self, name: str) -> None:
        if name == NO_QUORUM or name in self._witnesses or name in self._groups:
            raise PolicyError(f"the name {name} is taken")

    def _require_known(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise PolicyError(f"no witness or group {name} on a line before")


def _threshold(word: str, members: int) -> int:
    if word in ("all", "any"):
        return members if word == "all" else 1
    number = int(word) if re.fullmatch("[1-9][0-9]{0,3}", word) else 0
    if not 1 <= number <= members:
        raise PolicyError(f"a group of {members} needs all, any or a number from 1 to {members}")
    return number
