"""``cylinder-codes trust``: the trust list (信任列表) shown, changed, published and taken over.

Whoever issues changes the list in the issuer's folder; each change is one more list, signed by the root key at once.
Whoever checks statements takes over what was published, never an older list than the one at hand.
"""

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cylinder_codes.commands.common import GOOD, CannotCheck, add_command, add_group, now_ms, say
from cylinder_codes.commands.files import read_key, read_text, replace_file
from cylinder_codes.commands.instants import DAY_MS, HELP, instant, whole_second
from cylinder_codes.commands.issuer import (
    DEFAULT_FOLDER,
    KEY_LIFE_MS,
    Issuer,
    add_issuer_options,
    new_signing_key,
    new_tag_key,
    open_issuer,
    read_trust_list,
)
from cylinder_codes.keys import KEY_ID_BYTES, KeyFormatError, parse_vkey
from cylinder_codes.pem import encrypt_signer, encrypt_tag_key
from cylinder_codes.trust import (
    Period,
    Standing,
    TrustedKey,
    TrustedTagKey,
    TrustError,
    TrustList,
    format_instant,
    name_tag_key,
)

_OLD_KEY_STAYS_MS = 30 * DAY_MS
_NUMBER_AT_END = re.compile(r"(.*?)-([0-9]{1,6})")


def _show(options: argparse.Namespace) -> int:
    trust = read_trust_list(options.trust, options.root)
    return _say_list(options, trust, f"trust list {trust.serial} of {format_instant(trust.issued_at)} (信任列表)")


def _add(options: argparse.Namespace) -> int:
    issuer = open_issuer(options)
    at = whole_second(now_ms())
    start = at if options.start is None else options.start
    try:
        period = Period(start, start + KEY_LIFE_MS if options.until is None else options.until)
        entry = name_tag_key(options.key, period) if options.use == "tag" else _entry(options.key, period)
        with issuer.alone():
            return _publish(options, issuer, lambda trust: trust.with_key(entry, at))
    except (TrustError, KeyFormatError) as error:
        raise CannotCheck(str(error)) from error


def _revoke(options: argparse.Namespace) -> int:
    issuer = open_issuer(options)
    key_id, at = options.key_id, whole_second(now_ms())
    with issuer.alone():
        return _publish(options, issuer, lambda trust: trust.with_revocation(key_id, options.start, options.reason, at))


def _rotate(options: argparse.Namespace) -> int:
    issuer = open_issuer(options)
    at = whole_second(now_ms())
    until = at + _OLD_KEY_STAYS_MS if options.old_until is None else options.old_until
    if until <= at:
        raise CannotCheck("argument --old-until: in the past; to take back what a key signed, use `trust revoke`")
    rotate = _rotate_tag if options.use == "tag" else _rotate_signing
    issuer.root_key()  # asked for before anything is written, because there is no new list without it
    with issuer.alone():
        return rotate(options, issuer, Period(at, at + KEY_LIFE_MS), until)


def _rotate_signing(options: argparse.Namespace, issuer: Issuer, period: Period, old_until: int) -> int:
    old = issuer.signing_key()
    new = new_signing_key(options.key_name or _next_name(old.name))
    entry = TrustedKey(new.verifying_key, period)
    secret = encrypt_signer(new, issuer.passphrase.new())
    return _change_over(options, issuer, "signing", (old.key_id, entry, secret), old_until)


def _rotate_tag(options: argparse.Namespace, issuer: Issuer, period: Period, old_until: int) -> int:
    old = issuer.tag_key()
    new = new_tag_key(options.key_name or _next_name(old.name))
    entry = TrustedTagKey(new.name, new.key_id, period)
    secret = encrypt_tag_key(new, issuer.passphrase.new())
    return _change_over(options, issuer, "tag", (old.key_id, entry, secret), old_until)


def _change_over(
    options: argparse.Namespace,
    issuer: Issuer,
    kind: str,
    keys: tuple[bytes, TrustedKey | TrustedTagKey, str],
    old_until: int,
) -> int:
    old_id, entry, secret = keys
    present, old, new = (
        issuer.folder / f"{kind}{part}.key" for part in ("", f"-{old_id.hex()}", f"-{entry.key_id.hex()}")
    )
    at = entry.period.valid_from
    replace_file(new, secret)
    if not old.exists():
        os.link(present, old)
    code = _publish(options, issuer, lambda trust: trust.with_key(entry, at).with_end(old_id, old_until, at))
    new.replace(present)  # last: a kill before this line leaves the old key in use, which is good until its end
    return code


def _publish_copy(options: argparse.Namespace) -> int:
    issuer = open_issuer(options)
    trust = _take_over(issuer.trust_path, options.out, issuer.root_path)
    say(options, f"trust list {trust.serial} is in {options.out}; who checks needs {issuer.root_path} as well, once",
        serial=trust.serial, out=str(options.out), root=str(issuer.root_path))  # fmt: skip
    return GOOD


def _take(options: argparse.Namespace) -> int:
    trust = _take_over(options.file, options.trust, options.root)
    return _say_list(options, trust, f"trust list {trust.serial} is taken over into {options.trust} (已更新信任列表)")


def _take_over(source: Path, target: Path, root: Path) -> TrustList:
    known = read_trust_list(target, root) if target.exists() else None
    trust = read_trust_list(source, root, known)
    replace_file(target, read_text(source), mode=0o644)
    return trust


def _publish(options: argparse.Namespace, issuer: Issuer, change: Callable[[TrustList], TrustList]) -> int:
    try:
        known = issuer.trust_list()
        trust = replace(change(known), serial=known.serial + 1)  # however many steps: those between are not published
    except TrustError as error:
        raise CannotCheck(str(error)) from error
    issuer.publish(trust)
    return _say_list(
        options, trust, f"trust list {trust.serial} is in {issuer.trust_path}; publish it (请发布新的信任列表)"
    )


def _say_list(options: argparse.Namespace, trust: TrustList, headline: str) -> int:
    now = now_ms()
    entries: list[tuple[str, TrustedKey | TrustedTagKey]] = [("statement", key) for key in trust.keys]
    entries += [("tag", key) for key in trust.tag_keys]
    lines = [_line(use, entry, now) for use, entry in entries]
    say(options, "\n".join([headline, *lines]), serial=trust.serial, issued_at=trust.issued_at,
        keys=[_facts(use, entry, now) for use, entry in entries])  # fmt: skip
    return GOOD


_STANDING = {
    Standing.GOOD: "good 有效",
    Standing.REVOKED: "REVOKED 已吊销",
    Standing.NOT_VALID: "not in force 不在有效期",
}


def _line(use: str, entry: TrustedKey | TrustedTagKey, now: int) -> str:
    period = entry.period
    dates = f"{format_instant(period.valid_from)} … {format_instant(period.valid_until)}"
    revoked = ""
    if period.revoked_from is not None:
        revoked = f"; revoked from {format_instant(period.revoked_from)}: {period.reason}"
    return f"{entry.key_id.hex()}  {use:9}  {_STANDING[period.standing(now)]}  {entry.name}  {dates}{revoked}"


def _facts(use: str, entry: TrustedKey | TrustedTagKey, now: int) -> dict[str, object]:
    period = entry.period
    return {
        "use": use, "name": entry.name, "key_id": entry.key_id.hex(), "standing": period.standing(now).value,
        "valid_from": period.valid_from, "valid_until": period.valid_until,
        "revoked_from": period.revoked_from, "reason": period.reason,
    }  # fmt: skip


def _entry(key: str, period: Period) -> TrustedKey:
    return TrustedKey(read_key(Path(key), parse_vkey) if Path(key).is_file() else parse_vkey(key), period)


def _next_name(name: str) -> str:
    found = _NUMBER_AT_END.fullmatch(name)
    return f"{found[1]}-{int(found[2]) + 1}" if found else f"{name}-2"


def _key_id(text: str) -> bytes:
    if not re.fullmatch(f"[0-9a-f]{{{2 * KEY_ID_BYTES}}}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a key id of {2 * KEY_ID_BYTES} hex digits (trust show)")
    return bytes.fromhex(text)


# --- arguments ----------------------------------------------------------------------------------------------


def add_to(commands: Any) -> None:
    actions = add_group(
        commands, "trust", "show, change and publish the list of keys that count",
        "The trust list (信任列表): which keys sign statements, from when until when, which are revoked.",
        examples=["show", "rotate --old-until 2027-01-01"],
    )  # fmt: skip
    _add_reading(actions)
    _add_changing(actions)


def _add_reading(actions: Any) -> None:
    show = add_command(actions, "show", _show, "print the trust list", example="--trust trust.note --root root.pub")
    take = add_command(
        actions, "take", _take, "take over a newer list that was published",
        "Refuses a list that the root did not sign and one older than the list at hand.",
        example="downloaded.note --trust trust.note --root root.pub",
    )  # fmt: skip
    take.add_argument("file", type=Path, help="the list as published")
    for command in (show, take):
        command.add_argument("--trust", type=Path, default=DEFAULT_FOLDER / "trust.note", help="the list at hand")
        command.add_argument("--root", type=Path, default=DEFAULT_FOLDER / "root.pub", help="public key of the root")
    publish = add_command(
        actions, "publish", _publish_copy, "copy the list to where others fetch it", example="--out /srv/www/trust.note"
    )
    publish.add_argument("--out", type=Path, required=True, help="file to be replaced, unless it holds a newer list")
    add_issuer_options(publish)


def _add_changing(actions: Any) -> None:
    add = add_command(actions, "add", _add, "list one key more", example="station-7.key.pub --until 2028-01-01")
    add.add_argument("key", help="public key, as file or text; with --use tag its name+key id")
    add.add_argument("--from", dest="start", type=instant, help=f"{HELP} (default: now)")
    add.add_argument("--until", type=instant, help="first instant at which it may sign no more (default: in two years)")
    revoke = add_command(
        actions, "revoke", _revoke, "revoke a key from a date on",
        "What it signed before stays good. A thief can write any date: name the key's last honest use.",
        example="42456925 --from 2026-05-01 --reason 'the laptop was stolen'",
    )  # fmt: skip
    revoke.add_argument("key_id", type=_key_id, help="8 hex digits, as trust show prints them")
    revoke.add_argument("--from", dest="start", type=instant, required=True, help=HELP)
    revoke.add_argument("--reason", required=True, help="why, in one line; it is published")
    rotate = add_command(
        actions, "rotate", _rotate, "make a new key; the old one ends at a date",
        "The old key file stays beside the new one under its key id.", example="--old-until 2027-01-01",
    )  # fmt: skip
    rotate.add_argument("--old-until", type=instant, help="when the old key ends (default: in 30 days)")
    rotate.add_argument("--name", dest="key_name", help="name of the new key (default: the next number)")
    for command in (add, rotate):
        command.add_argument("--use", choices=("statement", "tag"), default="statement", help="what the key is for")
    for command in (add, revoke, rotate):
        add_issuer_options(command)
