"""`cylinder-trace replay`: stored decisions taken again, bit for bit, and the signatures below them checked."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from cylinder_codes.keys import VerifyingKey
from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.passes import few_collections
from cylinder_trace.commands.shared import (
    BAD,
    GOOD,
    CannotCheck,
    keys_in,
    open_source_of,
    period,
    say,
    texts_of,
    with_successors,
)
from cylinder_trace.cosignature import LogKey
from cylinder_trace.decision_note import NoServiceKey, Signers
from cylinder_trace.events import Entry
from cylinder_trace.redecide import Retaken, retake_decisions
from cylinder_trace.rotation import parse_rotations, predecessors

REPLAY = "take stored fill decisions again, check who signed them, and report every difference"
_SHOWN = 20


def add_replay(parser: Any) -> None:
    """Arguments of `replay`."""
    about = "the log's verifying key, with which the service signs its decisions, or a file with it; without it the "
    parser.add_argument("--vkey", metavar="KEY", help=f"{about}key that the source names is taken on trust")
    parser.add_argument("--check", metavar="ID", help="only the decision with this check id")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only decisions from this day on (Beijing time)")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="only decisions up to and with this day (Beijing time)")


def replay(arguments: Namespace) -> int:
    """Run `replay`."""
    source = open_source_of(arguments)
    signers, wanted = Signers(_service_keys(arguments, source)), _wanted(arguments)
    count, signed, different = 0, 0, []
    try:
        with few_collections(), Pace() as tell:
            for decision in retake_decisions(texts_of(source, tell), wanted, signers=signers):
                count += 1
                signed += decision.event.note is not None
                if decision.note_fault or not decision.same:
                    different.append(decision)
    except NoServiceKey as error:
        raise CannotCheck(f"{error}: name the log's key, --vkey KEY or a file with it") from error
    except ValueError as error:
        message = f"an entry cannot be read; what is wrong says: cylinder-trace audit {arguments.source}"
        raise CannotCheck(message) from error
    if arguments.check and not count:
        raise CannotCheck(
            f"no decision {arguments.check} is there to be taken again; look for its check id, or leave --since out"
        )
    differences = [_difference(item) for item in different]
    told = {"ok": not different, "decisions": count, "signed": signed, "differences": differences}
    say(arguments, told, "\n".join(_story(arguments, count, signed, differences)))
    return BAD if different else GOOD


def _service_keys(arguments: Namespace, source: Any) -> list[LogKey]:
    """The log's key, and those that it followed on or that followed on it: each signed the decisions of its time."""
    named, statements = arguments.vkey or "\n".join(source.vkeys()), source.rotations()
    keys = keys_in(named) if named else []
    keys = with_successors(keys, statements, "log/rotations")
    rotations = parse_rotations(statements)
    earlier = [old for key in keys if isinstance(key, VerifyingKey) for old in predecessors(key, rotations)]
    return list(dict.fromkeys([*keys, *earlier]))


def _wanted(arguments: Namespace) -> Callable[[Entry], bool]:
    since, until = period(arguments)
    return lambda entry: since <= entry.occurred_at < until and arguments.check in (None, entry.id)


def _story(arguments: Namespace, count: int, signed: int, differences: list[dict[str, Any]]) -> list[str]:
    head = f"{count} decisions taken again 已重算, {len(differences)} differ; {signed} are signed 已验签"
    lines = [f"✘ {item['check_id']}: stored {item['stored']}, again {item['again']}" for item in differences[:_SHOWN]]
    if signed and not arguments.vkey:
        lines.append("  The service's key is the one that the source names itself: hand in the log's key with --vkey")
    return [head, *lines]


def _difference(item: Retaken) -> dict[str, Any]:
    again = [item.again.outcome, *item.again.codes] if item.again else ["not in the ledger"]
    again += [] if item.same_inputs else ["from other inputs"]
    again += [f"(note 签名: {item.note_fault})"] if item.note_fault else []
    stored = [item.stored.outcome, *item.stored.codes]
    return {"check_id": item.entry.id, "stored": " ".join(stored), "again": " ".join(again)}
