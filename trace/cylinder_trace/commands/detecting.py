"""`cylinder-trace detect`: what no single entry shows, found in a whole ledger."""

from argparse import Namespace
from collections import Counter
from typing import Any, get_args

from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.passes import few_collections
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
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook

DETECT = "look for what no single entry shows: clones, revived scrap, inspection mills; signals, not accusations"
_SHOWN = 20
_HASHES_SHOWN = 2


def add_detect(parser: Any) -> None:
    """Arguments of `detect`."""
    kinds = f"only this kind, one of {', '.join(get_args(Kind))}; repeat it for more"
    parser.add_argument("--rulebook", metavar="FILE", help="thresholds; a file or the name of one that ships")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only signals from this day on (Beijing time)")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="only signals up to and with this day (Beijing time)")
    parser.add_argument(
        "--kind",
        action="append",
        choices=get_args(Kind),
        metavar="KIND",
        help=f"only this kind; repeat; one of {kinds}",
    )
    parser.add_argument("--all", action="store_true", help=f"show every signal, not the first {_SHOWN} of each kind")


def detect(arguments: Namespace) -> int:
    """Run `detect`: exit 0 when nothing is to be looked at, 1 when something is."""
    try:
        book = parse_rulebook(rulebook_text(arguments.rulebook))
    except RulebookError as error:
        return bad(arguments, str(error))
    since, until = period(arguments)
    entries, signals = _look(arguments, book)
    kinds = arguments.kind or get_args(Kind)
    found = [signal for signal in signals if since <= signal.at < until and signal.kind in kinds]
    told = [{**signal.model_dump(), "zh": sentence(signal, "zh"), "en": sentence(signal, "en")} for signal in found]
    story = _story(found, entries, None if arguments.all else _SHOWN)
    say(arguments, {"ok": not found, "entries": entries, "rulebook": book.name, "signals": told}, story)
    return BAD if found else GOOD


def _look(arguments: Namespace, book: Rulebook) -> tuple[int, list[Signal]]:
    """How many entries there are, and all signals in them."""
    source = open_source_of(arguments)
    from cylinder_trace.store.progress import counted

    entries = source.size()
    with Pace() as pace, few_collections():
        rows = counted(source.entries(), "entries looked at 条", entries, pace)
        try:
            return entries, list(detect_signals(((row.text, row.hash) for row in rows), book))
        except ValueError as error:
            raise CannotCheck(f"{error}; what is wrong says: cylinder-trace audit {arguments.source}") from error


def _story(found: list[Signal], entries: int, shown: int | None) -> str:
    if not found:
        return f"{entries} 条记录中没有线索 · nothing to look at in {entries} entries"
    about = len({signal.subject for signal in found})
    lines = [
        f"{entries} 条记录中有 {len(found)} 条线索,涉及 {about} 个对象;请核查,均非指控",
        f"{len(found)} signals about {about} subjects in {entries} entries; each asks somebody to look, none accuses",
    ]
    for kind, count in Counter(signal.kind for signal in found).most_common():
        lines += ["", f"{WORDS[kind].zh} · {WORDS[kind].en} ({kind}): {count}"]
        of_kind = [signal for signal in found if signal.kind == kind]
        lines += [line for signal in of_kind[:shown] for line in _lines(signal)]
        if shown is not None and count > shown:
            lines.append(f"  … 另有 {count - shown} 条 more: --all, --kind {kind}")
    return "\n".join([*lines, "", "entries by their whole hashes 凭证全文: --json"])


def _lines(signal: Signal) -> list[str]:
    hashes = [f"{digest[:12]}…" for digest in signal.evidence]
    named = hashes if len(hashes) <= _HASHES_SHOWN else [hashes[0], f"… {len(hashes) - 2} …", hashes[-1]]
    return [
        f"  {format_day(local_day(signal.at))}  {signal.subject}  [{' '.join(named)}]",
        f"    {sentence(signal, 'zh')}",
        f"    {sentence(signal, 'en')}",
    ]
