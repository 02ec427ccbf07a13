"""`cylinder-trace replay`: stored decisions taken again, bit for bit."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from cylinder_trace.commands.shared import BAD, GOOD, CannotCheck, open_source_of, period, say
from cylinder_trace.events import Entry
from cylinder_trace.redecide import Retaken, retake_decisions

REPLAY = "take stored fill decisions again and report every difference"
_SHOWN = 20


def add_replay(parser: Any) -> None:
    """Arguments of `replay`."""
    parser.add_argument("--check", metavar="ID", help="only the decision with this check id")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only decisions from this day on (Beijing time)")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="only decisions up to and with this day (Beijing time)")


def replay(arguments: Namespace) -> int:
    """Run `replay`."""
    source = open_source_of(arguments)
    wanted = _wanted(arguments)
    retaken = retake_decisions(lambda: (row.text for row in source.entries()), wanted)
    count, different = 0, []
    try:
        for decision in retaken:
            count += 1
            if not decision.same:
                different.append(decision)
    except ValueError as error:
        message = f"an entry cannot be read; what is wrong says: cylinder-trace audit {arguments.source}"
        raise CannotCheck(message) from error
    if arguments.check and not count:
        raise CannotCheck(
            f"no decision {arguments.check} is there to be taken again; look for its check id, or leave --since out"
        )
    differences = [_difference(item) for item in different]
    told = {"ok": not different, "decisions": count, "differences": differences}
    lines = [f"{count} decisions taken again 已重算, {len(different)} differ"]
    lines += [f"✘ {item['check_id']}: stored {item['stored']}, again {item['again']}" for item in differences]
    say(arguments, told, "\n".join(lines[: _SHOWN + 1]))
    return BAD if different else GOOD


def _wanted(arguments: Namespace) -> Callable[[Entry], bool]:
    since, until = period(arguments)
    return lambda entry: since <= entry.occurred_at < until and arguments.check in (None, entry.id)


def _difference(item: Retaken) -> dict[str, Any]:
    again = [item.again.outcome, *item.again.codes] if item.again else ["not in the ledger"]
    again += [] if item.same_inputs else ["from other inputs"]
    stored = [item.stored.outcome, *item.stored.codes]
    return {"check_id": item.entry.id, "stored": " ".join(stored), "again": " ".join(again)}
