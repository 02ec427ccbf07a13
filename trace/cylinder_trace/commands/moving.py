"""`cylinder-trace mirror` and `cylinder-trace rebuild`: a log as plain files, and a new home made out of them."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cylinder_codes.keys import KeyFormatError, SigningKey, format_vkey, parse_signer
from cylinder_trace.audit import Auditor, AuditReport, read_vkey
from cylinder_trace.commands.shared import (
    BAD,
    GOOD,
    CannotCheck,
    from_store,
    read_text,
    say,
    text_or_file,
    with_progress,
)

MIRROR = "copy a log into plain files that any server can serve and any tlog-tiles reader can check"
REBUILD = "make a new, empty home (SQLite or PostgreSQL) hold the ledger of a mirror, and audit it"


def add_mirror(parser: Any) -> None:
    """Arguments of `mirror`, behind the source."""
    parser.add_argument("folder", help="where the mirror is, or is to be; a second run fetches only what is new")
    about = "the log's verifying key, or a file with it; without it the mirror's own, at first the one the source names"
    parser.add_argument("--vkey", help=about)


def mirror(arguments: Namespace) -> int:
    """Run `mirror`."""
    from_store(_store)
    from cylinder_trace.store.mirror import NotMirrored, update_mirror
    from cylinder_trace.store.sources import open_source

    vkeys = text_or_file(arguments.vkey).split() if arguments.vkey else []
    folder = Path(arguments.folder)
    try:
        done = from_store(
            lambda: update_mirror(open_source(arguments.source, arguments.token), folder, vkeys, _watch("mirrored"))
        )
    except NotMirrored as error:
        return _bad(arguments, f"{error}; nothing was published, {folder} is as it was")
    root = done.root.hex()
    told = {"ok": True, "origin": done.origin, "size": done.size, "new": done.size - done.before, "root": root}
    story = (
        f"✔ {folder}: {done.size} entries 条记录 of {done.origin}, {done.size - done.before} of them new, root {root}"
    )
    say(arguments, told, story)
    return GOOD


def add_rebuild(parser: Any) -> None:
    """Arguments of `rebuild`."""
    parser.add_argument("mirror", help="a folder that `mirror` made")
    parser.add_argument("--to", required=True, metavar="URL", help="sqlite:////FILE or postgresql://… of an empty home")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="data folder of the new home; gets log/")
    parser.add_argument("--key", required=True, metavar="FILE", help="the log's signing key, as .data/keys/log.key")


def rebuild(arguments: Namespace) -> int:
    """Run `rebuild`."""
    from_store(_store)
    from cylinder_trace.store import rebuild as store

    key, data = _signer(arguments.key), Path(arguments.data)
    try:
        done = from_store(lambda: store.rebuild(Path(arguments.mirror), arguments.to, data, key, _watch("rebuilt")))
    except KeyboardInterrupt as error:
        raise CannotCheck("stopped; the new home is unfinished, and the same command goes on with it") from error
    except store.NotRebuilt as error:
        return _bad(arguments, f"{error}; the new home is unfinished, and no service will open it")
    report = from_store(lambda: _audited(arguments.to, data, key))
    if not report.ok:
        fault = report.faults[0]
        return _bad(arguments, f"the audit of the new home found {fault.kind} at index {fault.index}: {fault.message}")
    root = done.root.hex()
    told = {"ok": True, "size": done.size, "root": root, "subjects": done.subjects, "found": done.found}
    lines = [f"✔ {done.size} entries 条记录 and {done.subjects} states, root {root}; audited 已核查"]
    lines += [f"  taken up again: {done.found} entries were there already"] * bool(done.found)
    lines += [f"  not carried over 未包含: {item}" for item in store.NOT_CARRIED]
    lines.append(f"  put the old home's folder keys into {data} before the service starts")
    say(arguments, {**told, "not_carried": list(store.NOT_CARRIED)}, "\n".join(lines))
    return GOOD


def _audited(url: str, data: Path, key: SigningKey) -> AuditReport:
    from cylinder_trace.store.sources import DatabaseSource

    source = DatabaseSource(url, data)
    auditor = Auditor(source.checkpoints(), [read_vkey(vkey) for vkey in _ed25519(source.vkeys(), key)])
    auditor.check(source.entries())
    return auditor.finish(source.read_model())


def _ed25519(vkeys: list[str], key: SigningKey) -> list[str]:
    """The log's keys that this audit knows; that of the log itself is always among them."""
    known = [format_vkey(key.verifying_key)]
    for vkey in vkeys:
        try:
            read_vkey(vkey)
        except ValueError:
            continue
        known.append(vkey)
    return list(dict.fromkeys(known))


def _signer(path: str) -> SigningKey:
    try:
        return parse_signer(read_text(path).strip())
    except KeyFormatError as error:
        raise CannotCheck(f"{path} is not a log's signing key: {error}") from error


def _store() -> None:
    """Whether the extra `store` is there; `from_store` says so if it is not."""


def _watch(what: str) -> Callable[[Iterator[Any], int], Iterator[Any]]:
    return lambda rows, total: with_progress(rows, total, f"entries {what}")


def _bad(arguments: Namespace, sentence: str) -> int:
    say(arguments, {"ok": False, "problem": sentence}, f"✘ {sentence}")
    return BAD
