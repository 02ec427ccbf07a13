"""`cylinder-trace mirror` and `cylinder-trace rebuild`: a log as plain files, and a new home made out of them."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from cylinder_codes.keys import KeyFormatError, SigningKey, parse_signer
from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.passes import few_collections
from cylinder_trace.commands.shared import BAD, GOOD, CannotCheck, from_store, read_text, say, text_or_file

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
        with Pace() as tell:
            done = from_store(
                lambda: update_mirror(open_source(arguments.source, arguments.token), folder, vkeys, tell)
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
        with few_collections(), Pace() as tell:
            done = from_store(lambda: store.rebuild(Path(arguments.mirror), arguments.to, data, key, tell=tell))
    except KeyboardInterrupt as error:
        raise CannotCheck("stopped; the new home is unfinished, and the same command goes on with it") from error
    except store.NotRebuilt as error:
        return _bad(arguments, f"{error}; the new home is unfinished, and no service will open it")
    if not done.finished:
        fault = done.report.faults[0]
        found = f"the audit of the new home found {fault.kind} at index {fault.index}: {fault.message}"
        return _bad(arguments, f"{found}; it is unfinished, and no service will open it")
    root = done.root.hex()
    told = {"ok": True, "size": done.size, "root": root, "subjects": done.subjects, "found": done.found}
    lines = [f"✔ {done.size} entries 条记录 and {done.subjects} states, root {root}; audited 已核查"]
    lines += [f"  taken up again: {done.found} entries were there already"] * bool(done.found)
    lines += [f"  not carried over 未包含: {item}" for item in store.NOT_CARRIED]
    lines.append(f"  put the old home's folder keys into {data} before the service starts")
    say(arguments, {**told, "not_carried": list(store.NOT_CARRIED)}, "\n".join(lines))
    return GOOD


def _signer(path: str) -> SigningKey:
    try:
        return parse_signer(read_text(path).strip())
    except KeyFormatError as error:
        raise CannotCheck(f"{path} is not a log's signing key: {error}") from error


def _store() -> None:
    """Whether the extra `store` is there; `from_store` says so if it is not."""


def _bad(arguments: Namespace, sentence: str) -> int:
    say(arguments, {"ok": False, "problem": sentence}, f"✘ {sentence}")
    return BAD
