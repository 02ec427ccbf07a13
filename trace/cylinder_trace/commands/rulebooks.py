"""`cylinder-trace rulebook` and `trial`: a rulebook checked, signed, and tried on what was decided."""

import getpass
import os
from argparse import Namespace
from importlib.resources import files
from pathlib import Path
from typing import Any

from cylinder_codes.keys import KeyFormatError
from cylinder_codes.pem import read_signer
from cylinder_trace.commands.pace import Pace
from cylinder_trace.commands.passes import few_collections
from cylinder_trace.commands.shared import (
    BAD,
    GOOD,
    CannotCheck,
    bad,
    keys_in,
    open_source_of,
    period,
    read_text,
    say,
    texts_of,
)
from cylinder_trace.rulebook import Rulebook, RulebookError, parse_rulebook
from cylinder_trace.rulebook_signing import open_rulebook, sign_rulebook
from cylinder_trace.trial import Change, Trial, try_rulebook

RULEBOOK = "check a rulebook file, show its numbers, sign it; without a file, the one that ships"
TRIAL = "try a candidate rulebook on what was decided: who would newly be refused or permitted?"
_SHOWN = 20


def add_rulebook(parser: Any) -> None:
    """Arguments of `rulebook`."""
    parser.add_argument("file", nargs="?", help="a rulebook (TOML), or the name of one that ships: cn-zhejiang")
    parser.add_argument(
        "--sign", metavar="KEY", help="sign it with this key file (cylinder-codes keygen --kind signing)"
    )
    parser.add_argument("--out", metavar="FILE", help="where the signature goes; usually the rulebook's name and .sig")
    parser.add_argument("--signature", metavar="FILE", help="check this signature")
    parser.add_argument("--vkey", metavar="KEY", help="the authority's verifying key, or a file with it")


def rulebook(arguments: Namespace) -> int:
    """Run `rulebook`."""
    text = rulebook_text(arguments.file)
    try:
        if arguments.sign:
            return _sign(arguments, text)
        book, signed_by = _opened(arguments, text)
    except RulebookError as error:
        return bad(arguments, str(error))
    signed = f"  signed by 签名: {', '.join(signed_by)}\n" if signed_by else ""
    told = {"ok": True, **book.model_dump(), "signed_by": list(signed_by)}
    say(arguments, told, f"✔ {book.name} {book.title}\n{signed}{text.rstrip()}")
    return GOOD


def rulebook_text(name: str | None) -> str:
    """The text of a rulebook: a file, or one that ships, by its name."""
    shipped = files("cylinder_trace") / "rulebooks" / f"{name or 'cn-default'}.toml"
    if name is None or (not Path(name).exists() and name.replace("-", "").isalnum() and shipped.is_file()):
        return shipped.read_text(encoding="utf-8")
    return read_text(name)


def _opened(arguments: Namespace, text: str) -> tuple[Rulebook, tuple[str, ...]]:
    if arguments.signature is None:
        return parse_rulebook(text), ()
    if arguments.vkey is None:
        raise CannotCheck("say whose signature this should be: --vkey KEY, the authority's verifying key")
    return open_rulebook(text, read_text(arguments.signature), keys_in(arguments.vkey))


def _sign(arguments: Namespace, text: str) -> int:
    if arguments.out is None:
        raise CannotCheck("say where the signature goes: --out mine.toml.sig")
    try:
        key = read_signer(read_text(arguments.sign), _passphrase)
    except KeyFormatError as error:
        raise CannotCheck(f"{arguments.sign} cannot sign ({error}); a key is made by cylinder-codes keygen") from error
    note = sign_rulebook(text, key)
    Path(arguments.out).write_text(note, encoding="utf-8")
    say(arguments, {"ok": True, "signed_by": [key.name], "file": arguments.out}, f"✔ {arguments.out}: {key.name}")
    return GOOD


def _passphrase() -> str:
    return os.environ.get("CYLINDER_CODES_PASSPHRASE") or getpass.getpass("passphrase of the key (密钥口令): ")


# --- trial --------------------------------------------------------------------------------------------------


def add_trial(parser: Any) -> None:
    """Arguments of `trial`."""
    parser.add_argument("candidate", help="the rulebook to be tried (TOML), or the name of one that ships")
    parser.add_argument("--since", metavar="YYYY-MM-DD", help="only decisions from this day on (Beijing time)")
    parser.add_argument("--until", metavar="YYYY-MM-DD", help="only decisions up to and with this day (Beijing time)")


def trial(arguments: Namespace) -> int:
    """Run `trial`."""
    try:
        candidate = parse_rulebook(rulebook_text(arguments.candidate))
    except RulebookError as error:
        say(arguments, {"ok": False, "problem": str(error)}, f"✘ {error}")
        return BAD
    source = open_source_of(arguments)
    since, until = period(arguments)
    try:
        with few_collections(), Pace() as tell:
            texts = texts_of(source, tell)
            found = try_rulebook(texts, candidate, lambda entry: since <= entry.occurred_at < until)
    except ValueError as error:
        raise CannotCheck(
            f"an entry cannot be read; what is wrong says: cylinder-trace audit {arguments.source}"
        ) from error
    say(arguments, _as_json(candidate, found), _story(candidate, found))
    return GOOD


def _as_json(candidate: Rulebook, found: Trial) -> dict[str, Any]:
    return {
        "ok": True,
        "candidate": candidate.name,
        "decisions": found.decisions,
        "not_in_ledger": found.not_in_ledger,
        "stations": {station: dict(counts) for station, counts in found.by_station().items()},
        "reasons": dict(found.by_reason()),
        "cylinders": found.cylinders(),
        "changes": [_told(change) for change in found.changes],
    }


def _told(change: Change) -> dict[str, Any]:
    before, after = ([decision.outcome, *decision.codes] for decision in (change.before, change.after))
    place = {"check_id": change.check_id, "station_id": change.station_id, "cylinder_id": change.cylinder_id}
    return {**place, "decided_at": change.decided_at, "before": before, "after": after}


def _story(candidate: Rulebook, found: Trial) -> str:
    head = f"{candidate.name}: {found.decisions} decisions tried 试算, {len(found.changes)} would differ"
    lines = [
        head,
        *([f"  {found.not_in_ledger} could not be tried: their inputs are not whole"] * bool(found.not_in_ledger)),
    ]
    for station, counts in found.by_station().items():
        told = f"{counts['newly_refused']} newly refused 新拒充, {counts['newly_permitted']} newly permitted 新放行"
        lines.append(f"  {station}: {told}, {counts['other']} differ in reasons or mass")
    lines += [f"  {sign}: {count}" for sign, count in found.by_reason().most_common()]
    cylinders = found.cylinders()
    lines += [f"  cylinders 气瓶 ({len(cylinders)}):"] * bool(cylinders)
    lines += [f"    {cylinder}" for cylinder in cylinders[:_SHOWN]]
    rest = len(cylinders) - _SHOWN
    return "\n".join([*lines, *([f"    and {rest} more; all of them: --json"] * (rest > 0))])
