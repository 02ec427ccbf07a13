"""`cylinder-trace detect`: what no single entry shows, found in a whole ledger."""

from argparse import Namespace
from collections import Counter
from typing import Any, get_args

from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.rulebooks import rulebook_text
from cylinder_trace.commands.shared import (
    BAD,
    GOOD,
    CannotCheck,
    bad,
    open_source_of,
    period,
    say,
)
from cylinder_trace.dates import format_day, local_day
from cylinder_trace.detection.signals import WORDS, Kind, Signal, sentence
from cylinder_trace.detection.watch import detect as detect_signals
from cylinder_trace.rulebook import RulebookError, parse_rulebook

DETECT = "look for what no single entry shows: clones, revived scrap, inspection mills; signals, not accusations"
_SHOWN = 20


def add_detect(parser: Any) -> None:
    """Arguments of `detect`."""
    parser.add_argument("--rulebook", metavar="FILE", help="thresholds; a file or the name of one that ships")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only signals from this day on (Beijing time)")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="only signals up to and with this day (Beijing time)")
    parser.add_argument(
        "--kind", action="append", choices=get_args(Kind), metavar="KIND", help="only this kind; repeat"
    )
    parser.add_argument("--all", action="store_true", help=f"show every signal, not the first {_SHOWN} of each kind")


def detect(arguments: Namespace) -> int:
    """Run `detect`: exit 0 when nothing is to be looked at, 1 when something is."""
    try:
        book = parse_rulebook(rulebook_text(arguments.rulebook))
    except RulebookError as error:
        return bad(arguments, str(error))
    source = open_source_of(arguments)
    from cylinder_trace.store.progress import counted

    since, until = period(arguments)
    rows = counted(source.entries(), "entries looked at 条", source.size(), Pace())
    try:
        found = [
            signal
            for signal in detect_signals(((row.text, row.hash) for row in rows), book)
            if since <= signal.at < until and (arguments.kind is None or signal.kind in arguments.kind)
        ]
    except ValueError as error:
        raise CannotCheck(f"{error}; what is wrong says: cylinder-trace audit {arguments.source}") from error
    _tell(arguments, found)
    return BAD if found else GOOD


def _tell(arguments: Namespace, found: list[Signal]) -> None:
    told = [{**signal.model_dump(), "zh": sentence(signal, "zh"), "en": sentence(signal, "en")} for signal in found]
    say(arguments, {"ok": not found, "signals": told}, _story(found, None if arguments.all else _SHOWN))


def _story(found: list[Signal], shown: int | None) -> str:
    counts = Counter(signal.kind for signal in found)
    lines = [f"{len(found)} signals 线索; each asks somebody to look, none accuses anybody"]
    for kind, count in counts.most_common():
        lines.append(f"{WORDS[kind].zh} {WORDS[kind].en} ({kind}): {count}")
        of_kind = [signal for signal in found if signal.kind == kind]
        lines += [_line(signal) for signal in of_kind[:shown]]
        if shown is not None and count > shown:
            lines.append(f"  … and {count - shown} more: --all")
    return "\n".join(lines)


def _line(signal: Signal) -> str:
    first = signal.evidence[0][:12]
    day = format_day(local_day(signal.at))
    return f"  {day} {signal.subject}: {sentence(signal, 'zh')} · {sentence(signal, 'en')} [{first}…]"
