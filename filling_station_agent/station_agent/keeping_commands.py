"""`station-agent protect-key | export | service-unit`: what keeps a station's key, its journal and itself."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from cylinder_codes.keys import KeyFormatError, parse_vkey
from station_agent import care, service_unit
from station_agent.device import DeviceError, load_device, protect_key
from station_agent.journal import JournalBroken
from station_agent.journal_file import NotAJournalFile, Verified, journal_lines, verify_lines
from station_agent.key_at_rest import KEY_FILE_VARIABLE, PASSPHRASE_FILE_VARIABLE, KeyLocked, machine_key_file
from station_agent.settings import load_settings

Explained = Callable[[str, str], argparse.ArgumentParser]
_LAST_SEQ = 2**53 - 1


def add_to(explained: Explained) -> None:
    """Add the commands; `explained` makes one from its name and purpose."""
    _add_export(
        explained("export", "the journal for an inspector: as JSON lines, or as a file that is checked offline")
    )
    protecting = explained("protect-key", "encrypt the device's key at rest, or protect it otherwise than before")
    add_folder(protecting)
    protecting.add_argument(
        "--passphrase",
        action="store_true",
        help=f"with a passphrase that is typed at each start, or lies in the file of {PASSPHRASE_FILE_VARIABLE};"
        f" without this by a file outside the data folder ({KEY_FILE_VARIABLE}, or DATA.key beside it)",
    )
    add_json(protecting)
    protecting.set_defaults(command=_protect_key)
    unit = explained("service-unit", "print what makes the station a service of this machine: systemd, or Windows")
    unit.add_argument("--config", type=Path, required=True, help="the settings file that `enrol` wrote")
    unit.add_argument("--user", default=None, help="the account it runs as (default: yours)")
    unit.add_argument("--tty", default=None, help="show the screen there, e.g. /dev/tty1 (default: headless)")
    unit.add_argument("--windows", action="store_true", help="a command file for Windows' task scheduler instead")
    unit.set_defaults(command=_service_unit)


def _add_export(export: argparse.ArgumentParser) -> None:
    what = export.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help="the station's settings file")
    what.add_argument("--data", type=Path, help="or its data folder")
    what.add_argument(
        "--verify", type=Path, metavar="FILE", help="or check an exported file; needs nothing but the file"
    )
    export.add_argument("--vkey", help="with --verify: the device's key as the ledger tells it")
    export.add_argument("--out", type=Path, help="a new file with chain, signed head and public key, for --verify")
    export.add_argument("--from-seq", type=_whole, default=0, help="first record (default 0)")
    export.add_argument("--notes", action="store_true", help="the lanes' notes instead: faults, scans during a fill")
    add_json(export)
    export.set_defaults(command=_export)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """A station is named by its settings file or its data folder."""
    station = parser.add_mutually_exclusive_group(required=True)
    station.add_argument("--config", type=Path, help="the station's settings file")
    station.add_argument("--data", type=Path, help="or its data folder")


def folder_of(arguments: argparse.Namespace) -> Path:
    """The data folder; raises SettingsError."""
    folder: Path = arguments.data or load_settings(arguments.config)[1]
    return folder


def add_json(parser: argparse.ArgumentParser) -> None:
    """Every command whose answer a machine may read."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LAST_SEQ)) and int(text) <= _LAST_SEQ):
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {_LAST_SEQ}, is {text!r}")
    return int(text)


# ---------------------------------------------------------------- export


def _export(arguments: argparse.Namespace) -> int:
    if arguments.verify is not None:
        return _verify(arguments)
    folder = folder_of(arguments)
    device = load_device(folder)
    with care.journal_of(folder) as journal:
        if arguments.out is not None:
            lines = journal_lines(journal, device, arguments.from_seq)
            return _write_out(arguments.out, lines, as_json=arguments.json)
        if arguments.notes:
            kind, texts = "notes", [json.dumps(note, ensure_ascii=False) for note in journal.notes()]
        else:
            kind, texts = "records", [line.text.decode() for line in journal.lines(arguments.from_seq)]
        if arguments.json:  # each as the text that it is: its hash is over these bytes
            print(json.dumps({"device_id": device.device_id, kind: texts}, ensure_ascii=False))
        else:
            print("".join(f"{text}\n" for text in texts), end="")
        return _whole_or_said(journal.verify)


def _whole_or_said(verify: Callable[[], int]) -> int:
    """What is damaged is handed over all the same, and said."""
    try:
        verify()
    except JournalBroken as broken:
        print(broken, file=sys.stderr)
        return 1
    return 0


def _write_out(out: Path, lines: Iterator[str], *, as_json: bool) -> int:
    try:
        with out.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
    except FileExistsError as error:
        raise DeviceError(f"{out} exists already; name a new file.") from error
    return _say_verified(out, None, as_json=as_json)


def _verify(arguments: argparse.Namespace) -> int:
    return _say_verified(arguments.verify, arguments.vkey, as_json=arguments.json)


def _say_verified(file: Path, vkey: str | None, *, as_json: bool) -> int:
    try:
        trusted = parse_vkey(vkey) if vkey else None
    except KeyFormatError as error:
        raise DeviceError(f"--vkey is no verifying key: {error}.") from error
    try:
        with file.open(encoding="utf-8") as lines:
            found: Verified | str = verify_lines(lines, trusted)
    except (NotAJournalFile, UnicodeDecodeError) as error:
        found = str(error)
    if as_json:
        about = {"ok": False, "said": found} if isinstance(found, str) else {"ok": True, **_fields(found)}
        print(json.dumps({"file": str(file), **about}, ensure_ascii=False))
    elif isinstance(found, str):
        print(found, file=sys.stderr)
    else:
        print(f"✔ {file}: {found.records} records of device {found.device_id}, station {found.station_id}, from"
              f" number {found.first_seq}; the chain is whole, its head and {found.decisions_signed} decisions are"
              f" signed by {found.vkey}.")  # fmt: skip
        if trusted is None:
            print("  Compare that key with the device's entry in the ledger, or hand it in with --vkey.")
    return 1 if isinstance(found, str) else 0


def _fields(found: Verified) -> dict[str, object]:
    return asdict(found)


# ---------------------------------------------------------------- the key, the service


def _protect_key(arguments: argparse.Namespace) -> int:
    data = folder_of(arguments)
    file = protect_key(data, passphrase=arguments.passphrase)
    if arguments.json:
        said = {"protected_by": "passphrase" if file is None else "file", "file": str(file) if file else None}
        print(json.dumps(said))
    elif file is None:
        print("The device's key is encrypted; each start needs the passphrase.")
    else:
        print(f"The device's key is encrypted; each start needs {file}. Keep that file out of backups of {data}.")
    return 0


def _service_unit(arguments: argparse.Namespace) -> int:
    config = arguments.config.resolve()
    _, data = load_settings(config)
    try:
        machine_key = machine_key_file(data)
        task = service_unit.windows_task(config, data, machine_key) if arguments.windows else ""
    except (KeyLocked, ValueError) as error:
        raise DeviceError(str(error)) from error
    if arguments.windows:
        print(task, end="")
    else:
        user = arguments.user or getpass.getuser()
        print(service_unit.systemd_unit(config, data, machine_key, user=user, tty=arguments.tty), end="")
    return 0
