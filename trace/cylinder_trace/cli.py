"""The command line of people who check: `cylinder-trace audit|verify|witness|replay|rulebook`.

Exit status: 0 good, 1 checked and bad, 2 could not check.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError

from cylinder_codes.keys import KeyFormatError, VerifyingKey, parse_vkey
from cylinder_trace.audit import Auditor, AuditReport, read_vkey
from cylinder_trace.checkpoint import CheckpointError, open_checkpoint, parse_checkpoint
from cylinder_trace.dates import parse_day, start_of_day_ms
from cylinder_trace.events import Entry
from cylinder_trace.merkle import ProofError, check_consistency, prove_consistency
from cylinder_trace.proof import DOES_NOT_PROVE, PROVES, BundleError, HistoryBundle, bundle_key, verify_bundle
from cylinder_trace.redecide import Retaken, retake_decisions
from cylinder_trace.rulebook import RulebookError, parse_rulebook

GOOD, BAD, COULD_NOT_CHECK = 0, 1, 2
_SHOWN_FAULTS = 20
Item = TypeVar("Item")

_OVERVIEW = """\
examples:
  cylinder-trace audit .data                                        a data folder
  cylinder-trace audit http://127.0.0.1:8000 --token TOKEN          a running service
  cylinder-trace verify bundle.json --vkey log/keys
  cylinder-trace witness http://127.0.0.1:8000 --state seen.txt
  cylinder-trace replay .data --since 2026-01-01
  cylinder-trace rulebook mine.toml

exit codes: 0 good · 1 checked and bad · 2 could not be checked
"""


class CannotCheck(Exception):
    """One sentence for the person at the keyboard: what, where, what to do next."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except CannotCheck as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except KeyboardInterrupt:
        sentence = "stopped; nothing was changed, and nothing is proved"
    else:
        return status
    print(f"cylinder-trace: {sentence}", file=sys.stderr)
    return COULD_NOT_CHECK


class _OneSentenceParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(COULD_NOT_CHECK, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _OneSentenceParser(
        prog="cylinder-trace",
        description="Check a cylinder ledger without trusting its owner. 不必信任账本所有者即可核查气瓶账本。",
        epilog=_OVERVIEW,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _audit_parser(commands)
    _verify_parser(commands)
    _witness_parser(commands)
    _replay_parser(commands)
    _rulebook_parser(commands)
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], about: str) -> Any:
    examples = [line for line in _OVERVIEW.splitlines() if line.startswith(f"  cylinder-trace {name}")]
    parser = commands.add_parser(
        name,
        help=about,
        description=about,
        epilog="\n".join(["example:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)
    return parser


def _source_arguments(parser: Any) -> None:
    parser.add_argument("source", help="data folder, ledger.db, postgresql://… or http://… of a service")
    parser.add_argument("--token", help="bearer token of an auditor (only for a service)")


def _vkey_argument(parser: Any) -> None:
    about = "the log's verifying key, or a file with it; without it the key the source names is taken on trust"
    parser.add_argument("--vkey", help=about)


# --- audit --------------------------------------------------------------------------------------------------


def _audit_parser(commands: Any) -> None:
    about = "recompute the whole ledger from nothing and name every fault"
    parser = _command(commands, "audit", _audit, about)
    _source_arguments(parser)
    _vkey_argument(parser)
    parser.add_argument(
        "--remembered", action="append", default=[], metavar="FILE", help="a checkpoint kept earlier, as by `witness`"
    )


def _audit(arguments: argparse.Namespace) -> int:
    source = _opened(arguments)
    keys = [arguments.vkey] if arguments.vkey else source.vkeys()
    notes = source.checkpoints() + [_kept_checkpoint(path) for path in arguments.remembered]
    auditor = Auditor(notes, _audit_key(keys))
    auditor.check(_with_progress(source.entries(), source.size(), "entries checked"))
    report = auditor.finish(source.read_model())
    print(json.dumps(report.as_json(), ensure_ascii=False) if arguments.json else _audit_story(report))
    return GOOD if report.ok else BAD


def _audit_key(vkeys: Sequence[str]) -> Any:
    if not vkeys:
        raise CannotCheck("say whose log this should be: --vkey KEY or a file with the key")
    try:
        return read_vkey(_text_or_file(vkeys[0]))
    except ValueError as error:
        raise CannotCheck(f"not a verifying key name+id+base64, as in the log's file keys: {vkeys[0]}") from error


def _audit_story(report: AuditReport) -> str:
    lines = [f"{report.entries} entries 条记录, newest checkpoint {report.size}, root {report.root or '-'}"]
    for fault in report.faults[:_SHOWN_FAULTS]:
        place = f"{fault.subject or 'log'} · index {fault.index} · {fault.field}"
        lines.append(f"✘ {fault.kind}: {place}: {fault.message}")
    if hidden := len(report.faults) - _SHOWN_FAULTS:
        lines += [f"… and {hidden} more (--json lists all)"] * (hidden > 0)
    if report.ok:
        lines.append("✔ every entry, chain, state and checkpoint fits 全部一致")
        lines.append(
            "  A deleted tail together with its checkpoints can only be seen with a checkpoint kept elsewhere."
        )
    return "\n".join(lines)


# --- verify -------------------------------------------------------------------------------------------------


def _verify_parser(commands: Any) -> None:
    parser = _command(commands, "verify", _verify, "check a history bundle offline and say what it proves")
    parser.add_argument("bundle", help="the bundle file (JSON)")
    _vkey_argument(parser)


def _verify(arguments: argparse.Namespace) -> int:
    try:
        bundle = HistoryBundle.model_validate_json(_read(arguments.bundle))
    except ValidationError as error:
        raise CannotCheck(f"{arguments.bundle} is not a history bundle") from error
    try:
        key = _vkey(arguments.vkey) if arguments.vkey else bundle_key(bundle)
        verdict = verify_bundle(bundle, [key])
    except BundleError as error:
        _say(arguments, {"ok": False, "problem": str(error)}, f"✘ {error}")
        return BAD
    told = {"ok": True, **verdict.model_dump(), "proves": PROVES, "does_not_prove": DOES_NOT_PROVE}
    lines = [f"✔ {verdict.subject}: {verdict.entries} entries in the log {verdict.origin} of {verdict.size}"]
    lines += [f"  proves 证明: {line}" for line in PROVES]
    lines += [f"  does not prove 不能证明: {line}" for line in DOES_NOT_PROVE]
    if not arguments.vkey:
        lines.append(
            "  The key was taken from the bundle itself: name the log's key with --vkey to be sure whose it is."
        )
    _say(arguments, told, "\n".join(lines))
    return GOOD


# --- witness ------------------------------------------------------------------------------------------------


def _witness_parser(commands: Any) -> None:
    about = "remember a log's checkpoint and refuse one that does not extend what is remembered"
    parser = _command(commands, "witness", _witness, about)
    parser.add_argument("url", help="http://… of the service")
    parser.add_argument("--state", required=True, help="file in which the last good checkpoint is kept")
    _vkey_argument(parser)


def _witness(arguments: argparse.Namespace) -> int:
    from cylinder_trace.store.sources import ServiceSource

    source = _store(lambda: ServiceSource(arguments.url.rstrip("/")))
    key = _vkey(arguments.vkey or _first_vkey(_store(source.vkeys), arguments.url))
    note, state = _store(source.checkpoint), Path(arguments.state)
    remembered = _kept_checkpoint(arguments.state) if state.exists() else None
    try:
        new = open_checkpoint(note, [key])
        old = open_checkpoint(remembered, [key]) if remembered else None
        if old:
            proof = prove_consistency(old.size, new.size, _remembering(source, new.size)) if old.size < new.size else []
            check_consistency(old.size, new.size, proof, old.root, new.root)
    except (CheckpointError, ProofError, ValueError) as error:
        evidence = state.with_name(state.name + ".fork")
        evidence.write_text(note)
        told = {"ok": False, "problem": str(error), "evidence": str(evidence)}
        _say(arguments, told, f"✘ ALARM 报警: this log does not extend what was seen before: {error}; kept {evidence}")
        return BAD
    _replace(state, note)
    _say(arguments, {"ok": True, "size": new.size}, f"✔ {new.origin}: {old.size if old else 0} → {new.size}")
    return GOOD


def _first_vkey(vkeys: Sequence[str], url: str) -> str:
    if not vkeys:
        raise CannotCheck(f"{url} names no key; say whose log it should be: --vkey KEY or a file with the key")
    return vkeys[0]


def _kept_checkpoint(path: str) -> str:
    """A checkpoint that was kept in a file, unverified; a file that is none says nothing about the log."""
    note = _read(path)
    try:
        parse_checkpoint(note)
    except CheckpointError as error:
        raise CannotCheck(f"{path} is not a checkpoint: {error}; name the file that `witness` keeps") from error
    return note


def _remembering(source: Any, size: int) -> Callable[[int, int], bytes]:
    nodes = source.nodes(size)
    return lambda level, index: _store(lambda: nodes(level, index))


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.replace(path)


# --- replay -------------------------------------------------------------------------------------------------


def _replay_parser(commands: Any) -> None:
    about = "take stored fill decisions again and report every difference"
    parser = _command(commands, "replay", _replay, about)
    _source_arguments(parser)
    parser.add_argument("--check", metavar="ID", help="only the decision with this check id")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only decisions from this day on (Beijing time)")


def _replay(arguments: argparse.Namespace) -> int:
    source = _opened(arguments)
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
    _say(arguments, told, "\n".join(lines[: _SHOWN_FAULTS + 1]))
    return BAD if different else GOOD


def _wanted(arguments: argparse.Namespace) -> Callable[[Entry], bool]:
    try:
        since = start_of_day_ms(parse_day(arguments.since)) if arguments.since else 0
    except ValueError as error:
        raise CannotCheck(f"--since: {error}") from error
    return lambda entry: entry.occurred_at >= since and arguments.check in (None, entry.id)


def _difference(item: Retaken) -> dict[str, Any]:
    again = [item.again.outcome, *item.again.codes] if item.again else ["not in the ledger"]
    stored = [item.stored.outcome, *item.stored.codes]
    return {"check_id": item.entry.id, "stored": " ".join(stored), "again": " ".join(again)}


# --- rulebook -----------------------------------------------------------------------------------------------


def _rulebook_parser(commands: Any) -> None:
    about = "check a rulebook file and show its numbers; without a file, the one that ships"
    parser = _command(commands, "rulebook", _rulebook, about)
    parser.add_argument("file", nargs="?", help="a rulebook (TOML)")


def _rulebook(arguments: argparse.Namespace) -> int:
    shipped = files("cylinder_trace") / "rulebooks" / "cn-default.toml"
    text = _read(arguments.file) if arguments.file else shipped.read_text(encoding="utf-8")
    try:
        book = parse_rulebook(text)
    except RulebookError as error:
        _say(arguments, {"ok": False, "problem": str(error)}, f"✘ {error}")
        return BAD
    _say(arguments, {"ok": True, **book.model_dump()}, f"✔ {book.name} {book.title}\n{text.rstrip()}")
    return GOOD


# --- shared -------------------------------------------------------------------------------------------------


def _opened(arguments: argparse.Namespace) -> Any:
    from cylinder_trace.store.sources import open_source

    return _Careful(_store(lambda: open_source(arguments.source, arguments.token)))


class _Careful:
    """A source whose reading errors become one sentence."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return lambda: _store(getattr(self._source, name))

    def entries(self) -> Iterator[Any]:
        rows = _store(self._source.entries)
        while (row := _store(lambda: next(rows, None))) is not None:
            yield row


def _store(read: Callable[[], Item]) -> Item:
    """Run a read and turn what the store says into one sentence; the store is an extra that may be missing."""
    try:
        from cylinder_trace.store.database import StoreError, first_line
    except ModuleNotFoundError as error:
        raise CannotCheck("this needs the extra `store`: install cylinder-trace[store]") from error
    from sqlalchemy.exc import DBAPIError

    try:
        return read()
    except StoreError as error:
        raise CannotCheck(str(error)) from error
    except DBAPIError as error:
        raise CannotCheck(f"the database cannot be read as a ledger: {first_line(error)}") from error


def _vkey(text: str) -> VerifyingKey:
    try:
        return parse_vkey(_text_or_file(text))
    except KeyFormatError as error:
        raise CannotCheck(f"not a verifying key name+id+base64, as in the log's file keys: {error}") from error


def _text_or_file(text: str) -> str:
    return _read(text).strip() if "+" not in text or Path(text).is_file() else text


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CannotCheck(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CannotCheck(f"cannot read {path}: it is not UTF-8 text; name another file") from error


def _say(arguments: argparse.Namespace, told: dict[str, Any], story: str) -> None:
    print(json.dumps(told, ensure_ascii=False) if arguments.json else story)


def _with_progress(items: Iterator[Item], total: int, what: str) -> Iterator[Item]:
    for count, item in enumerate(items, start=1):
        yield item
        if sys.stderr.isatty() and (count % 2000 == 0 or count == total):
            end = "\n" if count == total else ""
            print(f"\r{count}/{total} {what}", end=end, file=sys.stderr, flush=True)
